// The one rule for tests that drive a program which npm cannot bring: without it they are skipped by name and with the
// reason, unless nothing may be skipped; then they fail. Installs nothing (see scripts/test-setup.js). Not a test.

import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Test } from 'tap'

/**
 * Says whether a test can go on, and if not, skips it: `if (!needs(t, 'go')) return`.
 *
 * With `CI=true`, or with anything in `MSGBUS_NO_SKIP`, a missing program is a failure instead.
 * @param program A name, looked for in PATH, or a path.
 */
export function needs(t: Test, program: string): boolean {
  if (isThere(program)) return true
  const { CI, MSGBUS_NO_SKIP = '' } = process.env
  if (CI === 'true' || MSGBUS_NO_SKIP !== '')
    t.fail(`${program} is not installed, and nothing may be skipped`)
  else t.pass(`needs ${program}`, { skip: `${program} is not installed` })
  return false
}

function isThere(program: string): boolean {
  if (program.includes('/')) return isExecutable(program)
  const folders = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '')
  return folders.some(folder => isExecutable(join(folder, program)))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
