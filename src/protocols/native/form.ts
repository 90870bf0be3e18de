// Takes an HTML form upload apart: every file and every field becomes one entry with a type of its own. Parsing is
// busboy's; this file gives it bounds and types. It publishes nothing.

import busboy from 'busboy'
import { contentType } from 'mime-types'
import { isUtf8 } from 'node:buffer'
import { extname } from 'node:path'
import { MsgbusError } from '../../errors.ts'
import type { Exchange } from '../../http/exchange.ts'
import { GatheredBytes } from '../../http/gathered-bytes.ts'
import type { Intake } from '../../http/intake.ts'

const MAX_ENTRIES = 100

export interface FormEntry {
  readonly type: string
  readonly body: Uint8Array
}

export interface FormLimits {
  /** Bytes of one entry. */
  readonly maxBodyBytes: number
  /** Bytes of the whole request body. */
  readonly maxFormBytes: number
}

/**
 * Reads a `multipart/form-data` body, in order.
 *
 * An entry has the type its part names, without parameters, or is text/plain [RFC 7578 §4.4]. A file that is only called
 * `application/octet-stream` gets the type of its name's extension; a field of text is UTF-8.
 * @throws {MsgbusError} `MSGBUS_MULTIPART`, `MSGBUS_BODY_TOO_LARGE`, and as {@link Intake.read}.
 */
export async function readForm(
  exchange: Exchange,
  intake: Intake,
  limits: FormLimits,
): Promise<readonly FormEntry[]> {
  const entries: FormEntry[] = []
  const { form, done, failure } = openForm(exchange, limits, entries)
  try {
    await intake.stream(exchange, limits.maxFormBytes, {
      onBytes: bytes => {
        form.write(bytes)
        // Answered at once: there is no use in taking in the rest.
        const error = failure()
        if (error !== null) throw error
      },
    })
    form.end()
    // All of it is in memory: what can end has ended when this turn is over. Busboy waits for ever for a file that begins
    // behind the end of the form.
    await Promise.race([done, endOfTurn()])
    if (!form.closed)
      throw new MsgbusError('MSGBUS_MULTIPART', 'Cannot read the form: it goes on behind its end')
  } catch (error) {
    form.destroy()
    throw error
  }
  if (entries.length === 0)
    throw new MsgbusError('MSGBUS_MULTIPART', 'Cannot read the form: it holds no file and no field')
  return entries
}

function endOfTurn(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}

function openForm({ req }: Exchange, { maxBodyBytes }: FormLimits, entries: FormEntry[]) {
  const form = createForm(req.headers, maxBodyBytes)
  let firstError: MsgbusError | null = null
  const done = new Promise<void>((resolve, rejectDone) => {
    const reject = (error: MsgbusError): void => {
      firstError ??= error
      rejectDone(error)
    }
    const refuse = (): void => {
      reject(
        new MsgbusError(
          'MSGBUS_BODY_TOO_LARGE',
          `A form takes ${MAX_ENTRIES} entries of ${maxBodyBytes} bytes at most`,
        ),
      )
    }
    const fail = (cause: unknown): void => {
      const text = 'Cannot read the form: it is not whole multipart/form-data'
      reject(new MsgbusError('MSGBUS_MULTIPART', text, { cause }))
    }
    // Files and fields are announced in order, but a file's bytes come later: its place is taken at once.
    let nextAt = 0
    form.on('file', (_name, file, { filename, mimeType }) => {
      const at = nextAt++
      const gathered = new GatheredBytes()
      file.on('data', (chunk: Buffer) => {
        gathered.add(chunk)
      })
      file.on('limit', refuse)
      // A form that ends within a file says so here first.
      file.on('error', fail)
      file.on('end', () => {
        // What a browser sends for a file field that nobody touched.
        if (gathered.byteCount === 0 && (filename ?? '') === '') return
        entries[at] = { type: fileType(filename, mimeType), body: gathered.toBuffer() }
      })
    })
    form.on('field', (_name, value, { valueTruncated, mimeType }) => {
      if (valueTruncated) refuse()
      // Busboy reads a field in the charset it names, and says nothing if it knows none of that name.
      if ((value as string | undefined) === undefined) {
        reject(new MsgbusError('MSGBUS_MULTIPART', 'Cannot read the form: a field names an unknown charset'))
        return
      }
      entries[nextAt++] = fieldEntry(value, mimeType)
    })
    form.on('partsLimit', refuse)
    form.on('error', fail)
    form.on('close', resolve)
  })
  // Whoever fails first answers; the other failure is the same one seen from the other side.
  done.catch(() => undefined)
  return { form, done, failure: () => firstError }
}

function createForm(headers: Exchange['req']['headers'], maxBodyBytes: number): busboy.Busboy {
  try {
    return busboy({
      headers,
      defParamCharset: 'utf8',
      // Read as single bytes, a field can be given back byte for byte whatever it holds.
      defCharset: 'latin1',
      // It calls a limit passed when it is reached.
      limits: { fieldSize: maxBodyBytes + 1, fileSize: maxBodyBytes + 1, parts: MAX_ENTRIES + 1 },
    })
  } catch (cause) {
    throw new MsgbusError(
      'MSGBUS_MULTIPART',
      'Cannot read the form: its Content-Type has no usable boundary',
      { cause },
    )
  }
}

function fieldEntry(value: string, mimeType: string): FormEntry {
  const bytes = Buffer.from(value, 'latin1')
  // Busboy decodes a field by the charset it names, and does not say whether it named one. Characters that no single
  // byte makes, or text that was no UTF-8 byte for byte, are decoded text.
  const isDecoded = /[^\x00-\xff]/.test(value) || (mimeType.startsWith('text/') && !isUtf8(bytes))
  return {
    type: mimeType === 'text/plain' ? 'text/plain; charset=utf-8' : mimeType,
    body: isDecoded ? Buffer.from(value, 'utf8') : bytes,
  }
}

function fileType(filename: string | undefined, mimeType: string): string {
  const named = filename === undefined ? false : contentType(extname(filename))
  if (named === false) return mimeType
  if (mimeType === 'application/octet-stream') return named
  // Busboy says text/plain for a part that names no type. A picture's name is then believed, another text's is not: it
  // may well have been called plain on purpose.
  return mimeType === 'text/plain' && !named.startsWith('text/') ? named : mimeType
}
