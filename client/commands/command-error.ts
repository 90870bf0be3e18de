// What ends a command, besides what the server does: the two kinds of error that are not its fault, and the exit codes.

/** Exit codes of all commands; their help says when. */
export const EXIT_DONE = 0
export const EXIT_FAILED = 1
// [sysexits(3)]
export const EXIT_USAGE = 64
export const EXIT_SOFTWARE = 70

/** The command line is wrong. The message is one line and holds no password. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** This machine refuses something. The message is one line. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** What the system calls an error; undefined if it does not. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}

/** What the system says, in words: `no such file or directory (ENOENT)`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = codeOf(error)
  if (code === undefined) return error.message
  // Of "ENOENT: no such file or directory, open '/x'", who asks has said the rest.
  const [, words] = /^[A-Z0-9]+: ([^,]+)/.exec(error.message) ?? []
  return words === undefined ? code : `${words} (${code})`
}
