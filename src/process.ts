// What the server asks of the operating system about itself: how many descriptors it may use, and to be another user.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * How many files and sockets this process may have open. Node itself raises the soft limit to the hard one at start, so
 * this is all that the system allows. Infinity where the system does not say.
 */
export function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === undefined || soft === 'unlimited' ? Infinity : Number(soft)
  } catch {
    // No /proc: not Linux.
    return Infinity
  }
}

// The declarations of Node's types leave this one out.
type ProcessWithUsers = typeof process & { initgroups?: (user: number, extraGroup: number) => void }

/**
 * Gives up root for good: supplementary groups, group, then user.
 * @throws {Error} if the user is unknown or anything of root would stay.
 */
export function becomeUser(user: string | number): void {
  const { getuid, setuid, setgid, initgroups } = process as ProcessWithUsers
  if (getuid === undefined || setuid === undefined || setgid === undefined || initgroups === undefined) {
    throw new Error(`Cannot become user "${user}": this system has no users`)
  }
  const { uid, gid } = lookUp(user)
  try {
    initgroups(uid, gid)
    setgid(gid)
    setuid(uid)
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException
    throw new Error(`Cannot become user "${user}": ${code}`, { cause })
  }
  if (getuid() !== uid || canBecomeRoot())
    throw new Error(`Cannot become user "${user}": root is still within reach`)
}

function lookUp(user: string | number): { readonly uid: number; readonly gid: number } {
  try {
    // The one tool that asks every source of users the system has, not only a file.
    const [, , uid, gid] = execFileSync('getent', ['passwd', String(user)], { encoding: 'utf8' }).split(':')
    return { uid: Number(uid), gid: Number(gid) }
  } catch (cause) {
    throw new Error(`Cannot become user "${user}": there is no such user`, { cause })
  }
}

function canBecomeRoot(): boolean {
  if (process.getuid?.() === 0) return false
  try {
    process.setuid?.(0)
    return true
  } catch {
    return false
  }
}
