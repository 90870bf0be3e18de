// Bytes that are sent again and again with another number in them, so that the load of a benchmark is the sockets' work and not
// that of putting messages together. It does not know what stands around the number.

const NUMBER_DIGITS = 15

/** `#` and the digits: how each body begins. */
export const NUMBER_BYTES = 1 + NUMBER_DIGITS

/** A body whose number is still to be filled in. */
export function blankBody(byteCount: number): Buffer {
  const body = Buffer.alloc(byteCount, '.')
  body.write(digits(0), 1)
  body.write('#')
  return body
}

export class Stencil {
  readonly #bytes: Buffer
  readonly #digitsAt: number

  /** @param bytes With a blank body in them. */
  constructor(bytes: Buffer) {
    const at = bytes.indexOf(`#${digits(0)}`)
    if (at < 0) throw new RangeError('Cannot number bytes without a blank body')
    this.#bytes = bytes
    this.#digitsAt = at + 1
  }

  numbered(number: number): Buffer {
    const bytes = Buffer.from(this.#bytes)
    bytes.write(digits(number), this.#digitsAt, 'latin1')
    return bytes
  }
}

function digits(number: number): string {
  return String(number).padStart(NUMBER_DIGITS, '0')
}
