// What test-pub sends, how fast, and what it says of the answers.

import { createServer as createHttpServer } from 'node:http'
import t from 'tap'
import { start, subscribe } from '../wire/server.ts'
import { listen, PUB, resultOf, runPub, startTool } from './tool.ts'

await t.test('a message is a stamp and a payload, of the type that was asked for', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/flood')
  const result = await runPub(t, server.port, '--count', '1', '-t', 'text/html', '-b', '120')
  t.equal(result.code, 0)
  const [head = '', body = ''] = (await stream.readChunk()).split('\r\n\r\n')
  t.match(head, /^Content-Type: text\/html\r\n(?:.+\r\n)*?Content-Length: 120\r\n/)
  t.match(
    body,
    /^test-pub [0-9a-f]{8} [0-9a-f]{4} [0-9a-f]{14} 0000 [0-9a-f]{8} 0000000000 [0-9a-f]{14} 00000078\n[\x21-\x7e]{33}\r\n--/,
  )
})

await t.test('a file follows each stamp, or is the whole message', async t => {
  const server = await start(t)
  const stream = await subscribe(t, server, '/msgbus/flood')
  const file = `${t.testdir({ 'body.txt': 'from a file' })}/body.txt`
  t.equal((await runPub(t, server.port, '--count', '1', '-f', file)).code, 0)
  t.match(await stream.readChunk(), /\ntest-pub [^\n]+\nfrom a file\r\n--/)
  t.equal((await runPub(t, server.port, '--count', '1', '-f', file, '--no-stamp')).code, 0)
  t.match(await stream.readChunk(), /\r\n\r\nfrom a file\r\n--/)
})

await t.test('single requests and streamed ones are counted with their answers', async t => {
  const server = await start(t)
  for (const args of [[], ['--streamed'], ['-n', '3'], ['-n', '3', '--streamed'], ['--window', '1']]) {
    const { code, json, lines } = await runPub(t, server.port, '-r', 'max', '--count', '100', ...args)
    t.equal(code, 0)
    t.match(json, { messages: 100, accepted: 100, refused: 0, unanswered: 0, isSound: true, bytes: 10_000 })
    t.equal(json.latencyMs === null, args.includes('--streamed'))
    t.strictSame(lines, [])
  }
  t.equal(server.log.events.filter(({ name }) => name === 'pub').length, 500)
})

await t.test('a rate is not exceeded, and a duration is kept', async t => {
  const server = await start(t)
  const startedMs = performance.now()
  const counted = await runPub(t, server.port, '-r', '50', '-n', '2', '--count', '21')
  t.ok(performance.now() - startedMs >= 400, 'the last one is due after 20 intervals of 20 ms')
  t.match(counted, { code: 0, json: { messages: 21, accepted: 21, wantedPerSecond: 50 } })
  const timedMs = performance.now()
  const timed = await runPub(t, server.port, '-r', '50', '-d', '300ms')
  const seconds = (performance.now() - timedMs) / 1000
  t.ok(seconds >= 0.3)
  t.equal(timed.code, 0)
  t.ok(Number(timed.json.messages) <= seconds * 50 + 1)
})

await t.test('an interrupt ends it with its totals, and every answer is waited for', async t => {
  for (const args of [[], ['--streamed']]) {
    const server = await start(t)
    const pub = startTool(t, PUB, ['-p', `${server.port}`, '--json', '-r', '1000', ...args])
    await server.log.until('pub', 3)
    pub.signal('SIGINT')
    const { code, json } = await resultOf(pub)
    t.equal(code, 0)
    t.match(json, { refused: 0, unanswered: 0, isSound: true })
    t.equal(json.accepted, json.messages)
    t.equal(server.log.events.filter(({ name }) => name === 'pub').length, json.messages)
  }
})

await t.test('a refusal on the way is counted, and ends the run with 1', async t => {
  let count = 0
  const port = await listen(
    t,
    createHttpServer((req, res) => {
      req.resume()
      res.statusCode = ++count === 3 ? 503 : 204
      res.end(res.statusCode === 503 ? 'MSGBUS_BUSY: Too many at once\n' : undefined)
    }),
  )
  const { code, json, lines } = await runPub(t, port, '-r', 'max', '--count', '5', '--window', '1')
  t.equal(code, 1)
  t.match(json, { messages: 5, accepted: 4, refused: 1, unanswered: 0, isSound: false })
  const text =
    '1 message refused; the first: the server answered 503 Service Unavailable (MSGBUS_BUSY: Too many at once)'
  t.strictSame(json.faults, [text])
  t.strictSame(lines, [`test-pub: ${text}`])
})

await t.test('nothing follows the first message before it was accepted', async t => {
  let count = 0
  const port = await listen(
    t,
    createHttpServer((req, res) => {
      req.resume()
      count++
      res.statusCode = 403
      res.end('MSGBUS_ORIGIN: Not from there\n')
    }),
  )
  const { code, json, lines } = await runPub(t, port, '-r', 'max', '--count', '100')
  t.equal(code, 1)
  t.strictSame(json, {})
  t.match(lines, [/: the server answered 403 Forbidden \(MSGBUS_ORIGIN: Not from there\)$/])
  t.equal(count, 1)
})

await t.test('parts that the server does not count among those it published are refused ones', async t => {
  const port = await listen(
    t,
    createHttpServer((req, res) => {
      req.resume().on('end', () => {
        res.writeHead(204, { 'Msgbus-Count': '3' }).end()
      })
    }),
  )
  const { code, json } = await runPub(t, port, '-r', 'max', '--count', '5', '--streamed')
  t.equal(code, 1)
  t.match(json, { messages: 5, accepted: 3, refused: 2, unanswered: 0, isSound: false })
})

await t.test('a server that goes away is a fault, and the text says so', async t => {
  for (const args of [[], ['--streamed']]) {
    const server = await start(t)
    const pub = startTool(t, PUB, ['-p', `${server.port}`, '--json', '-r', '1000', ...args])
    await server.log.until('pub', 3)
    await server.server.close(0)
    const { code, json, lines } = await resultOf(pub)
    t.equal(code, 1)
    t.equal(json.isSound, false)
    t.match(lines[0], /^test-pub: Cannot publish to "http:\/\/127\.0\.0\.1:\d+/)
  }
})
