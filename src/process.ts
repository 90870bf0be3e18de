// What the server asks of the operating system about itself: how many descriptors it may use, and to be another user.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const LOOK_UP_MS = 10_000

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

/** This process cannot be the user it is to be. The message is one line. */
export class UserError extends Error {
  override readonly name = 'UserError'

  constructor(user: string | number, reason: string, options?: ErrorOptions) {
    super(`Cannot become user "${user}": ${reason}`, options)
  }
}

/** A user of this machine. */
export interface User {
  /** As it was asked for. */
  readonly name: string | number
  readonly uid: number
  readonly gid: number
}

/**
 * Finds a user by name or uid. Changes nothing, so that it can be asked before anything is opened.
 *
 * A uid without an entry is refused: nothing says which groups it would have to be in, and this process has root's.
 * @throws {UserError} if there is no such user, or this process is not root and so could not become it.
 */
export function findUser(name: string | number): User {
  if (process.geteuid?.() !== 0) throw new UserError(name, 'only root can become another user')
  // The one tool that asks every source of users the system has, not only a file.
  const [, , uid, gid] = getent('passwd', name).split(':').map(Number)
  if (!Number.isSafeInteger(uid) || !Number.isSafeInteger(gid) || uid === undefined || gid === undefined) {
    throw new UserError(name, 'the system does not say which uid and gid that is')
  }
  return { name, uid, gid }
}

function getent(database: string, name: string | number): string {
  try {
    return execFileSync('getent', [database, `${name}`], {
      encoding: 'utf8',
      // Not the whole environment: the password of the server may be in it.
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: LOOK_UP_MS,
    })
  } catch (cause) {
    const { code, status } = cause as { readonly code?: string; readonly status?: number | null }
    // [getent(1)] 2: one or more keys could not be found.
    const reason =
      status === 2 ? 'there is no such user' : `"getent" failed (${code ?? status ?? 'no reason given'})`
    throw new UserError(name, reason, { cause })
  }
}

// The declarations of Node's types leave this one out.
type ProcessWithUsers = typeof process & { initgroups?: (user: number, extraGroup: number) => void }

/** Does something as another user, who then owns what it makes, and is root again afterwards. Null: as this one. */
export async function actingAs<Result>(
  user: User | null,
  action: () => Result | Promise<Result>,
): Promise<Result> {
  const { seteuid, setegid } = process
  if (user === null || seteuid === undefined || setegid === undefined) return action()
  setegid(user.gid)
  seteuid(user.uid)
  try {
    return await action()
  } finally {
    seteuid(0)
    setegid(0)
  }
}

/**
 * Gives up root for good: supplementary groups, group, then user.
 * @throws {UserError} if anything of root would stay.
 */
export function becomeUser({ name, uid, gid }: User): void {
  const { setuid, setgid, initgroups } = process as ProcessWithUsers
  if (setuid === undefined || setgid === undefined || initgroups === undefined) {
    throw new UserError(name, 'this system has no users')
  }
  try {
    initgroups(uid, gid)
    setgid(gid)
    setuid(uid)
  } catch (cause) {
    throw new UserError(name, (cause as NodeJS.ErrnoException).code ?? 'no reason given', { cause })
  }
  if (uid !== 0 && canBecomeRoot(setuid)) throw new UserError(name, 'root is still within reach')
}

function canBecomeRoot(setuid: (uid: number) => void): boolean {
  try {
    setuid(0)
    return true
  } catch {
    return false
  }
}
