// The two ways in which a load tool ends early with one line: it was called wrongly, or the run cannot go on or prove
// anything. Both texts are for the person at the terminal and hold no secret.

/** The command line cannot be used. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The server, or the machine, does not do what the run needs. */
export class RunError extends Error {
  override readonly name = 'RunError'
}
