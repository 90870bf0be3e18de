// What the web server behind `-d DIR` gives away and what it never does, asked over raw sockets so that no client
// tidies up a path first. Every rule is tried with the kernel's names of open files and without.

import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
} from 'node:fs'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createSocketServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { openStaticFiles, type StaticFilesOptions } from '../../src/http/static-files.ts'

const MODES = [
  { mode: 'by number', options: {} },
  { mode: 'by name', options: { descriptors: null } },
] as const

const NEEDS_PROC = existsSync('/proc/self/fd') ? {} : { skip: 'needs /proc/self/fd' }

interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

async function serve(t: Test, root: string, options: StaticFilesOptions = {}): Promise<number> {
  const server = createServer(openStaticFiles(root, options))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function open(t: Test, port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  // A reset is one of the ways in which the server may end a connection; what arrived before it is what counts.
  socket.on('error', () => undefined)
  t.teardown(() => {
    socket.destroy()
  })
  return socket
}

async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
  })
  await closed(socket)
  return Buffer.concat(chunks).toString('latin1')
}

/** Unlike `once`, content with a close that an error came before. */
function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    socket.once('close', () => {
      resolve()
    })
  })
}

async function ask(t: Test, port: number, line: string, headers: readonly string[] = []): Promise<Answer> {
  const socket = open(t, port)
  socket.write([`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'))
  return parse(await readAll(socket))
}

function parse(text: string): Answer {
  const endOfHead = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, endOfHead).split('\r\n')
  const fields = lines.map((line): [string, string] => {
    const colonAt = line.indexOf(':')
    return [line.slice(0, colonAt).toLowerCase(), line.slice(colonAt + 1).trim()]
  })
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: new Map(fields),
    body: text.slice(endOfHead + 4),
  }
}

const SITE = {
  outside: { 'secret.txt': 'SECRET', 'index.html': 'SECRET' },
  'www-2': { 'secret.txt': 'SECRET' },
  www: {
    'index.html': '<h1>home</h1>',
    'hello.txt': 'hello world',
    'empty.txt': '',
    'a b+c.txt': 'spaced',
    '100%.txt': 'percent',
    'no-extension': 'bytes',
    '.env': 'SECRET',
    '.git': { config: 'SECRET' },
    '~root': 'SECRET',
    'c:x': 'SECRET',
    'trailing.': 'SECRET',
    'blank ': 'SECRET',
    docs: { 'index.html': 'docs', 'page.html': 'page' },
    bare: { 'file.txt': 'SECRET' },
  },
} as const

for (const { mode, options } of MODES) {
  await t.test(
    `a file comes with its type, its length, its tag and the safety headers (${mode})`,
    async t => {
      const port = await serve(t, join(t.testdir(SITE), 'www'), options)
      const { status, headers, body } = await ask(t, port, 'GET /hello.txt?x=1')
      t.equal(status, 200)
      t.equal(body, 'hello world')
      t.equal(headers.get('content-type'), 'text/plain; charset=utf-8')
      t.equal(headers.get('content-length'), '11')
      t.match(headers.get('etag'), /^W\/"[\w-]+"$/)
      t.ok(Number.isFinite(Date.parse(headers.get('last-modified') ?? '')))
      t.equal(headers.get('accept-ranges'), 'bytes')
      t.equal(headers.get('cache-control'), 'no-cache', 'nothing that lets a shared cache keep it')
      t.equal(headers.get('x-content-type-options'), 'nosniff')
      t.equal(headers.get('referrer-policy'), 'no-referrer')
      t.equal(headers.get('cross-origin-resource-policy'), 'same-origin')
      t.equal(headers.get('x-frame-options'), 'SAMEORIGIN')
      t.notOk(headers.has('content-security-policy'), 'the pages of the root may run their own scripts')
    },
  )

  await t.test(`names are decoded once and types come from the name (${mode})`, async t => {
    const port = await serve(t, join(t.testdir(SITE), 'www'), options)
    const wanted = [
      ['/', '<h1>home</h1>', 'text/html; charset=utf-8'],
      ['/docs/', 'docs', 'text/html; charset=utf-8'],
      ['/docs/page.html', 'page', 'text/html; charset=utf-8'],
      ['/%68ello.txt', 'hello world', 'text/plain; charset=utf-8'],
      ['/a%20b+c.txt', 'spaced', 'text/plain; charset=utf-8'],
      ['/100%25.txt', 'percent', 'text/plain; charset=utf-8'],
      ['/no-extension', 'bytes', 'application/octet-stream'],
      ['/empty.txt', '', 'text/plain; charset=utf-8'],
      ['http://any.example/hello.txt', 'hello world', 'text/plain; charset=utf-8'],
    ] as const
    for (const [target, text, type] of wanted) {
      const { status, headers, body } = await ask(t, port, `GET ${target}`)
      t.strictSame([status, body, headers.get('content-type')], [200, text, type], target)
    }
  })

  await t.test(`HEAD is GET without the body, and knows no ranges (${mode})`, async t => {
    const port = await serve(t, join(t.testdir(SITE), 'www'), options)
    const { status, headers, body } = await ask(t, port, 'HEAD /hello.txt', ['Range: bytes=0-3'])
    t.strictSame([status, headers.get('content-length'), body], [200, '11', ''])
    const missing = await ask(t, port, 'HEAD /nothing')
    t.strictSame([missing.status, missing.body], [404, ''])
  })

  await t.test(
    `conditional requests are answered 304 and 412 without a body of the file (${mode})`,
    async t => {
      const port = await serve(t, join(t.testdir(SITE), 'www'), options)
      const first = await ask(t, port, 'GET /hello.txt')
      const tag = first.headers.get('etag') ?? ''
      const same = await ask(t, port, 'GET /hello.txt', [`If-None-Match: ${tag}`])
      t.strictSame([same.status, same.body, same.headers.get('etag')], [304, '', tag])
      t.equal(same.headers.get('x-content-type-options'), 'nosniff')
      const since = `If-Modified-Since: ${first.headers.get('last-modified') ?? ''}`
      t.equal((await ask(t, port, 'GET /hello.txt', [since])).status, 304)
      t.equal((await ask(t, port, 'GET /hello.txt', ['If-None-Match: "other"'])).status, 200)
      const failed = await ask(t, port, 'GET /hello.txt', ['If-Match: "other"'])
      t.strictSame([failed.status, failed.body.split('\n').length], [412, 2])
      t.notOk(failed.headers.has('last-modified'))
    },
  )

  await t.test(`one range is served, several are not, and one past the end is 416 (${mode})`, async t => {
    const port = await serve(t, join(t.testdir(SITE), 'www'), options)
    const wanted = [
      ['bytes=0-4', 206, 'hello', 'bytes 0-4/11'],
      ['bytes=6-', 206, 'world', 'bytes 6-10/11'],
      ['bytes=-5', 206, 'world', 'bytes 6-10/11'],
      ['bytes=0-1,1-2', 200, 'hello world', undefined],
      [`bytes=${'0-5,'.repeat(1300)}0-5`, 200, 'hello world', undefined],
      ['bytes=5-1', 416, 'The file does not reach that far\n', 'bytes */11'],
      ['lines=0-4', 200, 'hello world', undefined],
      ['bytes=11-', 416, 'The file does not reach that far\n', 'bytes */11'],
    ] as const
    for (const [range, status, body, contentRange] of wanted) {
      const answer = await ask(t, port, 'GET /hello.txt', [`Range: ${range}`])
      t.strictSame(
        [answer.status, answer.body, answer.headers.get('content-range')],
        [status, body, contentRange],
        range.slice(0, 20),
      )
    }
    const stale = await ask(t, port, 'GET /hello.txt', ['Range: bytes=0-4', 'If-Range: W/"other"'])
    t.strictSame([stale.status, stale.body], [200, 'hello world'])
  })

  await t.test(`a directory leads to itself with a slash and nowhere else (${mode})`, async t => {
    const port = await serve(t, join(t.testdir(SITE), 'www'), options)
    const moved = await ask(t, port, 'GET /docs?<script>')
    t.strictSame([moved.status, moved.headers.get('location'), moved.body], [301, '/docs/', ''])
    t.notOk(moved.headers.has('content-type'))
    for (const target of [
      '//docs',
      '///docs',
      '//evil.example/%2e%2e',
      '/docs//',
      '/docs/%2e',
      '/%2f/docs',
    ]) {
      const answer = await ask(t, port, `GET ${target}`)
      t.strictSame([answer.status, answer.headers.has('location')], [404, false], target)
    }
    t.equal((await ask(t, port, 'GET /bare/')).status, 404, 'no index, no list')
  })

  await t.test(
    `what leads out of the root or is hidden in it is 404, always in the same words (${mode})`,
    async t => {
      const port = await serve(t, join(t.testdir(SITE), 'www'), options)
      const targets = [
        ...['/nothing', '/hello.txt/', '/hello.txt/x', '/docs/nothing/', '/HELLO.TXT', `/${'x'.repeat(300)}`],
        ...[
          '/..',
          '/../',
          '/../outside/secret.txt',
          '/../www-2/secret.txt',
          '/docs/../hello.txt',
          '/./hello.txt',
        ],
        ...['/%2e%2e/outside/secret.txt', '/%2e%2e%2foutside%2fsecret.txt', '/..%2foutside%2fsecret.txt'],
        ...['/%252e%252e%252foutside%252fsecret.txt', '/%252e%252e/outside/secret.txt', '/docs%2fpage.html'],
        ...[
          '/..\\outside\\secret.txt',
          '/..%5coutside%5csecret.txt',
          '/docs\\page.html',
          '/docs%5cpage.html',
        ],
        ...['/hello.txt%00', '/hello.txt%00.html', '/%00', '/hello.txt%0a', '/hello.txt%7f', '/%c2%85'],
        ...['//etc/passwd', '/%2fetc%2fpasswd', '/file:///etc/passwd', '/etc/passwd', '/proc/self/environ'],
        ...['/~root', '/~', '/~/hello.txt', '/%7eroot', '/c:x', '/c:/hello.txt', '/C%3a%5chello.txt'],
        ...[
          '/hello.txt.',
          '/hello.txt%20',
          '/trailing.',
          '/blank%20',
          '/docs./page.html',
          '/...',
          '/hello.txt::$DATA',
        ],
        ...['/%c0%ae%c0%ae/outside/secret.txt', '/%e0%80%ae%e0%80%ae%c0%af', '/%c0%af', '/%ff', '/%ed%a0%80'],
        ...['/%', '/%2', '/%zz', '/hello%', '/hello.txt#x', '/hello.txt;x', '/hello.txt%3fx'],
        ...['/.env', '/%2eenv', '/.git/config', '/.git/', '/docs/.env', '/__proto__', '/constructor'],
      ]
      for (const target of targets) {
        const { status, headers, body } = await ask(t, port, `GET ${target}`)
        t.strictSame([status, body], [404, 'MSGBUS_NOT_FOUND: There is no such file\n'], target)
        t.equal(headers.get('content-type'), 'text/plain; charset=utf-8', target)
        t.equal(headers.get('x-content-type-options'), 'nosniff', target)
      }
    },
  )

  await t.test(`symlinks are 404 wherever they point, and a root that is one is not (${mode})`, async t => {
    const dir = t.testdir({
      ...SITE,
      www: {
        ...SITE.www,
        'out.txt': t.fixture('symlink', '../outside/secret.txt'),
        'in.txt': t.fixture('symlink', 'hello.txt'),
        'out-dir': t.fixture('symlink', '../outside'),
        'in-dir': t.fixture('symlink', 'docs'),
        loop: t.fixture('symlink', 'loop'),
        nowhere: t.fixture('symlink', 'gone'),
        linked: { 'index.html': t.fixture('symlink', '../../outside/index.html') },
      },
      current: t.fixture('symlink', 'www'),
    })
    const port = await serve(t, join(dir, 'current'), options)
    t.equal((await ask(t, port, 'GET /hello.txt')).body, 'hello world')
    const targets = [
      '/out.txt',
      '/in.txt',
      '/out-dir',
      '/out-dir/',
      '/out-dir/secret.txt',
      '/in-dir',
      '/in-dir/',
    ]
    for (const target of [...targets, '/in-dir/page.html', '/loop', '/loop/x', '/nowhere', '/linked/']) {
      t.equal((await ask(t, port, `GET ${target}`)).status, 404, target)
    }
  })

  await t.test(`a FIFO, a socket and a device are 404 at once (${mode})`, async t => {
    const dir = mkdtempSync(join(tmpdir(), 'msgbus-'))
    t.teardown(() => {
      rmSync(dir, { recursive: true })
    })
    execFileSync('mkfifo', [join(dir, 'fifo')])
    const listener = createSocketServer().listen(join(dir, 'socket'))
    t.teardown(() => listener.close())
    await once(listener, 'listening')
    const port = await serve(t, dir, options)
    t.equal((await ask(t, port, 'GET /fifo')).status, 404)
    t.equal((await ask(t, port, 'GET /socket')).status, 404)
    const devicePort = await serve(t, '/dev', options)
    t.equal((await ask(t, devicePort, 'GET /zero')).status, 404)
    t.equal((await ask(t, devicePort, 'GET /null')).status, 404)
  })
}

await t.test('methods other than GET and HEAD are 405 and say what is allowed', async t => {
  const port = await serve(t, join(t.testdir(SITE), 'www'))
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    const { status, headers, body } = await ask(t, port, `${method} /index.html`, ['Content-Length: 0'])
    t.strictSame([status, headers.get('allow'), body.split('\n').length], [405, 'GET, HEAD', 2], method)
  }
})

await t.test('a root that is missing or no directory is refused by the option and the path', t => {
  const dir = t.testdir({ 'a.txt': 'x', empty: {} })
  for (const root of [join(dir, 'gone'), join(dir, 'a.txt'), join(dir, 'a.txt', 'x'), '']) {
    t.throws(() => openStaticFiles(root), { name: 'RangeError', message: `"${root}" (option "-d")` })
  }
  t.doesNotThrow(() => openStaticFiles(join(dir, 'empty')))
  t.end()
})

await t.test('a symlink swapped in while requests run never leads out of the root', NEEDS_PROC, async t => {
  const dir = t.testdir({ outside: { 'x.txt': 'SECRET' }, www: { pub: { 'x.txt': 'public' } } })
  const port = await serve(t, join(dir, 'www'))
  const [pub, aside] = [join(dir, 'www/pub'), join(dir, 'www/aside')]
  let isSwapping = true
  let isLink = false
  const swap = (): void => {
    if (isLink) {
      rmSync(pub)
      renameSync(aside, pub)
    } else {
      renameSync(pub, aside)
      symlinkSync('../outside', pub)
    }
    isLink = !isLink
    if (isSwapping) setImmediate(swap)
  }
  swap()
  const bodies: string[] = []
  for (let round = 0; round < 60; round++) {
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask(t, port, 'GET /pub/x.txt')))
    bodies.push(...answers.map(({ body }) => body))
  }
  isSwapping = false
  t.notMatch(bodies, ['SECRET'])
  t.ok(bodies.includes('MSGBUS_NOT_FOUND: There is no such file\n'), 'the link was met')
})

// More than the kernel takes from a writer whose reader has stopped; the file is a hole, so it costs nothing.
const LARGE_BYTES = 32 * 1024 * 1024

const CHANGES = [
  [
    'cut short',
    (path: string) => {
      truncateSync(path, 1024)
    },
  ],
  [
    'written to',
    (path: string) => {
      utimesSync(path, 1, 1)
    },
  ],
  [
    'made longer',
    (path: string) => {
      appendFileSync(path, 'more')
    },
  ],
] as const

for (const [change, apply] of CHANGES) {
  await t.test(`a file that is ${change} while it is sent ends the connection, never padded`, async t => {
    const dir = t.testdir({ 'large.bin': '' })
    const path = join(dir, 'large.bin')
    truncateSync(path, LARGE_BYTES)
    const port = await serve(t, dir)
    const socket = open(t, port)
    socket.write('GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\nGET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n')
    const [head] = (await once(socket, 'data')) as [Buffer]
    socket.pause()
    t.match(head.toString('latin1'), `Content-Length: ${LARGE_BYTES}`)
    apply(path)
    let byteCount = head.length
    let isAnsweredTwice = false
    socket.on('data', (chunk: Buffer) => {
      byteCount += chunk.length
      isAnsweredTwice ||= chunk.includes('HTTP/1.1')
    })
    socket.resume()
    await closed(socket)
    t.ok(byteCount < LARGE_BYTES, 'less than promised')
    t.notOk(isAnsweredTwice, 'no second answer that could be taken for the rest')
  })
}

await t.test('a file replaced by another while it is sent goes out whole, as it was', async t => {
  const dir = t.testdir({ 'large.bin': '', 'new.bin': 'new' })
  truncateSync(join(dir, 'large.bin'), LARGE_BYTES)
  const port = await serve(t, dir)
  const socket = open(t, port)
  socket.write('GET /large.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  const [head] = (await once(socket, 'data')) as [Buffer]
  renameSync(join(dir, 'new.bin'), join(dir, 'large.bin'))
  const headByteCount = head.indexOf('\r\n\r\n') + 4
  let byteCount = head.length - headByteCount
  socket.on('data', (chunk: Buffer) => {
    byteCount += chunk.length
  })
  await closed(socket)
  t.equal(byteCount, LARGE_BYTES)
})

await t.test('pipelined requests are answered in order', async t => {
  const port = await serve(t, join(t.testdir(SITE), 'www'))
  const socket = open(t, port)
  const paths = ['/hello.txt', '/nothing', '/docs/page.html', '/empty.txt', '/a%20b+c.txt']
  const requests = paths.map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  socket.write(`${requests.join('')}GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  const bodies = (await readAll(socket)).split(/HTTP\/1\.1 .*?\r\n\r\n/s)
  t.strictSame(bodies, [
    '',
    'hello world',
    'MSGBUS_NOT_FOUND: There is no such file\n',
    'page',
    '',
    'spaced',
    '<h1>home</h1>',
  ])
})

await t.test('readers that leave in the middle leave no file open', NEEDS_PROC, async t => {
  const dir = t.testdir({ 'large.bin': '' })
  truncateSync(join(dir, 'large.bin'), LARGE_BYTES)
  const server = createServer(openStaticFiles(dir))
  t.teardown(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  for (const requestCount of [1, 50]) {
    const left = once(server, 'connection').then(([socket]) => closed(socket as Socket))
    const socket = open(t, port)
    socket.write('GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(requestCount))
    await once(socket, 'data')
    socket.resetAndDestroy()
    await left
  }
  // Closing takes a trip through the thread pool: turns of the event loop are waited for, not a time.
  for (let turn = 0; turn < 1000 && isOpen('large.bin'); turn++) await readdir(dir)
  t.notOk(isOpen('large.bin'))
})

function isOpen(name: string): boolean {
  return readdirSync('/proc/self/fd').some(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).endsWith(`/${name}`)
    } catch {
      // The descriptor with which the list itself was read.
      return false
    }
  })
}

const STARVED = `
import { createServer, request } from 'node:http'
import { closeSync, openSync } from 'node:fs'
import { once } from 'node:events'
const { openStaticFiles } = await import(process.argv[2])
const faults = []
const server = createServer(openStaticFiles(process.argv[3], { onFault: error => faults.push(error.code) }))
await once(server.listen(0, '127.0.0.1'), 'listening')
const { Agent } = await import('node:http')
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
async function ask() {
  const [res] = await once(request({ port: server.address().port, path: '/hello.txt', agent }).end(), 'response')
  let body = ''
  for await (const chunk of res) body += chunk
  return [res.statusCode, res.headers['retry-after'] ?? null, res.headers['etag'] === undefined, body]
}
const results = [await ask()]
const taken = []
try { for (;;) taken.push(openSync('/dev/null', 'r')) } catch {}
results.push(await ask())
closeSync(taken.pop())
results.push(await ask())
for (const fd of taken) closeSync(fd)
results.push(await ask())
console.log(JSON.stringify({ results, faults }))
process.exit()
`

await t.test('without descriptors left the answer is 503, and the next one is well again', async t => {
  const dir = t.testdir({ 'starved.mjs': STARVED, www: { 'hello.txt': 'hello world' } })
  const module = new URL('../../src/http/static-files.js', import.meta.url).href
  const script = 'ulimit -n 64 && exec "$0" "$@"'
  const args = ['-c', script, process.execPath, join(dir, 'starved.mjs'), module, join(dir, 'www')]
  const { stdout } = await promisify(execFile)('bash', args)
  const busy = [503, '5', true, 'MSGBUS_BUSY: Too many files are open: try again later\n']
  const well = [200, null, false, 'hello world']
  t.strictSame(JSON.parse(stdout), { results: [well, busy, busy, well], faults: ['EMFILE', 'EMFILE'] })
})
