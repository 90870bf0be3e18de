// The web server behind `-d DIR`: regular files below one directory, for GET and HEAD. Ranges, tags and conditional
// requests are serve-static's work; what may be opened at all is decided here. No listings, no dotfiles, no symlinks,
// no uploads, no script ever runs.

import {
  constants,
  existsSync,
  fstatSync,
  type ReadStream,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join } from 'node:path'
import finalhandler from 'finalhandler'
import { contentType } from 'mime-types'
import serveStatic from 'serve-static'
import { formatFilePath, parseFilePath } from './file-path.ts'

/** Where the kernel shows a process the files it has open: a name that nobody can point elsewhere. Linux only. */
const DESCRIPTORS = '/proc/self/fd'

// O_NOFOLLOW refuses a link that replaced the file since it was looked at, O_NONBLOCK a FIFO that would hang us.
const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

// The root is the operator's own content, so its scripts run and its pages may load what they like. `no-cache` has
// readers ask again, and lacks the `public` that lets a shared cache keep what a password protects.
const COMMON_HEADERS = {
  'Cache-Control': 'no-cache',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
} as const

const TEXT_OF = {
  404: 'MSGBUS_NOT_FOUND: There is no such file',
  405: 'MSGBUS_METHOD_NOT_ALLOWED: Files can only be read: use GET or HEAD',
  412: 'The file is not in the state that the request asks for',
  416: 'The file does not reach that far',
  500: 'The file could not be read',
  503: 'MSGBUS_BUSY: Too many files are open: try again later',
} as const

type RefusedStatus = keyof typeof TEXT_OF
type Headers = Readonly<Record<string, string>>

export interface StaticFilesOptions {
  /**
   * Directory in which open files stand by their numbers, or null where the system has none. Without it a file is
   * checked and then opened again by its name, so that whoever may write below the root can swap a symlink in between.
   */
  readonly descriptors?: string | null
  /** Told of what no reader can have caused: a disk that fails, no descriptors left. The reader has its answer by then. */
  readonly onFault?: (error: unknown) => void
}

/**
 * Opens a document root. What it returns answers every request: with a file, a redirect from a directory to the same
 * path with a slash, or one line of text.
 *
 * 404 is the answer to all that is not a readable regular file below the root, whatever the reason: nobody learns what
 * is there. Symlinks below the root are refused wherever they point; the root itself may be one, and is resolved once.
 * A hard link is a file like any other. A file that shrinks or is written to while it is sent ends the connection.
 * @throws {RangeError} if `root` is no directory that can be opened.
 */
export function openStaticFiles(
  root: string,
  options: StaticFilesOptions = {},
): (req: IncomingMessage, res: ServerResponse) => void {
  const files = new StaticFiles(resolveRoot(root), options)
  return (req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      refuse(res, 405, { Allow: 'GET, HEAD', Connection: 'close' })
    } else if (res.socket === null) {
      // A pipelined request opens nothing before its turn: if the peer leaves first, its `close` never comes.
      res.once('socket', () => {
        files.answer(req, res)
      })
    } else {
      files.answer(req, res)
    }
  }
}

function resolveRoot(root: string): string {
  try {
    // The native one, because the other takes the empty string for the current directory.
    const path = realpathSync.native(root)
    if (statSync(path).isDirectory()) return path
  } catch (cause) {
    throw new RangeError(`Cannot serve files from "${root}" (option "-d"): no such directory`, { cause })
  }
  throw new RangeError(`Cannot serve files from "${root}" (option "-d"): not a directory`)
}

class StaticFiles {
  readonly #root: string
  readonly #descriptors: string | null
  readonly #onFault: (error: unknown) => void
  readonly #serve: serveStatic.RequestHandler<ServerResponse>

  constructor(root: string, options: StaticFilesOptions) {
    const { descriptors = existsSync(DESCRIPTORS) ? DESCRIPTORS : null, onFault = () => undefined } = options
    this.#root = root
    this.#descriptors = descriptors
    this.#onFault = onFault
    this.#serve = serveStatic(descriptors ?? root, {
      cacheControl: false,
      fallthrough: false,
      index: false,
      redirect: false,
    })
  }

  answer(req: IncomingMessage, res: ServerResponse): void {
    this.#answer(req, res).catch((error: unknown) => {
      this.#fail(req, res, error)
    })
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const names = parseFilePath(req.url ?? '')
    if (names === null) {
      refuse(res, 404)
      return
    }
    const isDirectoryWanted = names.at(-1) === ''
    const wanted = isDirectoryWanted ? [...names.slice(0, -1), 'index.html'] : names
    const file = await this.#open(join(this.#root, ...wanted))
    if (file === null) {
      refuse(res, 404)
      return
    }
    try {
      const stats = await file.stat()
      if (stats.isFile()) await this.#send(req, res, { file, stats, names: wanted })
      else if (stats.isDirectory() && !isDirectoryWanted) redirect(res, names)
      else refuse(res, 404)
    } finally {
      await file.close()
    }
  }

  /** @returns The file or directory that has exactly this name, or null. */
  async #open(path: string): Promise<FileHandle | null> {
    try {
      // Opening a FIFO lets go whoever waits to write to it, opening a device may set it in motion.
      const stats = await lstat(path)
      if (!stats.isFile() && !stats.isDirectory()) return null
      const file = await open(path, READ_ONLY)
      let isWanted = false
      try {
        // O_NOFOLLOW guards the last name only: a link among the directories shows in the name of what was opened.
        isWanted = (await this.#nameOf(file, path)) === path
      } finally {
        if (!isWanted) await file.close()
      }
      return isWanted ? file : null
    } catch (error) {
      if (isAbsence(error)) return null
      throw error
    }
  }

  #nameOf(file: FileHandle, path: string): Promise<string> {
    return this.#descriptors === null ? realpath(path) : readlink(join(this.#descriptors, `${file.fd}`))
  }

  /** Ends when the answer has left or the peer has. */
  #send(req: IncomingMessage, res: ServerResponse, found: Found): Promise<void> {
    return new Promise(resolve => {
      if (res.destroyed) {
        resolve()
        return
      }
      res.once('close', resolve)
      const type = contentType(extname(found.names.at(-1) ?? ''))
      setHeaders(res, {
        ...COMMON_HEADERS,
        'Content-Type': type === false ? 'application/octet-stream' : type,
      })
      guardTransfer(res, found)
      const url = this.#descriptors === null ? formatFilePath(found.names) : `/${found.file.fd}`
      this.#serve(viewOf(req, url), res, error => {
        this.#fail(req, res, error)
      })
    })
  }

  #fail(req: IncomingMessage, res: ServerResponse, error: unknown): void {
    const status = statusOf(error)
    if (status >= 500) this.#onFault(error)
    // Once the head is out, only the end of the connection can tell the reader; finalhandler sees to that.
    if (res.headersSent) finalhandler(req, res, { env: 'production' })(error)
    else if (status === 503) refuse(res, 503, { 'Retry-After': '5' })
    else if (status === 416) refuse(res, 416, { 'Content-Range': String(res.getHeader('Content-Range')) })
    else refuse(res, status)
  }
}

interface Found {
  readonly file: FileHandle
  /** As it was before the first byte was read. */
  readonly stats: Stats
  /** Names of the directories from the root on, and of the file. */
  readonly names: readonly string[]
}

function redirect(res: ServerResponse, names: readonly string[]): void {
  setHeaders(res, { ...COMMON_HEADERS, Location: `${formatFilePath(names)}/`, 'Content-Length': '0' })
  res.statusCode = 301
  res.end()
}

/** What serve-static gets to see: the request with another path, and with its Range only where that counts. */
function viewOf(req: IncomingMessage, url: string): IncomingMessage {
  const { range, ...others } = req.headers
  // [RFC 9110 §14.2] Range is defined for GET alone. Several ranges would have to be sorted and joined: full answer.
  const headers = req.method === 'HEAD' || range?.includes(',') ? others : req.headers
  return Object.create(req, { url: { value: url }, headers: { value: headers } }) as IncomingMessage
}

/**
 * Ends the connection before the last bytes of a file that is not what the head promised: serve-static would end the
 * answer short, so that the next answer on this connection would be taken for the rest of the file.
 */
function guardTransfer(res: ServerResponse, { file, stats }: Found): void {
  res.once('pipe', (source: ReadStream) => {
    const wantedBytes = Number(res.getHeader('Content-Length'))
    const check = (): void => {
      if (source.bytesRead < wantedBytes || res.destroyed) return
      const now = fstatSync(file.fd)
      const isSame = now.size === stats.size && now.mtimeMs === stats.mtimeMs
      if (source.bytesRead > wantedBytes || !isSame) res.socket?.destroy()
    }
    // Ahead of the pipe's own listeners, which were there first. The socket and not the answer is destroyed: the pipe
    // may go on writing within this turn, and to a destroyed answer that is an error that nobody catches.
    source.prependListener('data', check)
    source.prependListener('end', () => {
      if (source.bytesRead < wantedBytes) res.socket?.destroy()
    })
  })
}

function statusOf(error: unknown): RefusedStatus {
  if (isAbsence(error)) return 404
  const { code, status } = (error ?? {}) as { readonly code?: unknown; readonly status?: unknown }
  if (code === 'EMFILE' || code === 'ENFILE') return 503
  if (status === 412 || status === 416) return status
  return typeof status === 'number' && status < 500 ? 404 : 500
}

// To a reader, what we may not read is not there. ELOOP: a symlink where O_NOFOLLOW met one. ENXIO, ENODEV: a socket
// or device that took the place of a file.
const ABSENCES: ReadonlySet<unknown> = new Set([
  'EACCES',
  'ELOOP',
  'ENAMETOOLONG',
  'ENODEV',
  'ENOENT',
  'ENOTDIR',
  'ENXIO',
  'EPERM',
])

function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ABSENCES.has(error.code)
}

// Said of the file that is not going to be sent.
const FILE_HEADERS = ['Accept-Ranges', 'Content-Range', 'ETag', 'Last-Modified'] as const

function refuse(res: ServerResponse, status: RefusedStatus, headers: Headers = {}): void {
  const body = `${TEXT_OF[status]}\n`
  for (const name of FILE_HEADERS) res.removeHeader(name)
  setHeaders(res, {
    ...COMMON_HEADERS,
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': `${Buffer.byteLength(body)}`,
    ...headers,
  })
  res.statusCode = status
  res.end(body)
}

function setHeaders(res: ServerResponse, headers: Headers): void {
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
}
