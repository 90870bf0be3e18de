// Makes a folder with all that is above it. Says nothing of what is in one that is there already.

import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/**
 * Node's own way to do so goes on for ever where a folder takes no entries, as in /proc.
 * @param mode Permissions of the folders that are made; by default what the system makes of 0o777.
 * @throws {Error} what the system says; `EEXIST` for something that is no folder.
 */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  try {
    await mkdir(path, mode)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    const above = dirname(resolve(path))
    if (code !== 'ENOENT' || (await isThere(above))) throw error
    await makeFolder(above, mode)
    await makeFolder(path, mode)
  }
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
