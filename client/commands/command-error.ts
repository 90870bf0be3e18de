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

/** What the system says, as a code if it has one. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  return code ?? error.message
}
