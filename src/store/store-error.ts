// A store that cannot be opened, told to whoever runs the server.

/** A store cannot be opened. The message is one line, which names it, and holds no password. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  /** True if another store has to be named, false if the same one may well open later. */
  readonly isMisconfigured: boolean

  constructor(store: string, reason: string, isMisconfigured: boolean, options?: ErrorOptions) {
    super(`Cannot open store "${store}": ${reason}`, options)
    this.isMisconfigured = isMisconfigured
  }
}
