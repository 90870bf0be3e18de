// What a browser gets at the URL of a channel: a picture, a document that is replaced part by part, or a page that does
// what the browser cannot. Programs are told apart by the headers they do not send.

import { createHash } from 'node:crypto'
import t from 'tap'
import { ask, chunk, GIF, get, put, start, subscribe } from './server.ts'

const FIREFOX = 'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
const CHROMIUM =
  'Accept: text/html,application/xhtml+xml,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7'

const pictureReaders = [
  { name: 'as=image', path: '/msgbus/cam?as=image', headers: [] },
  { name: 'Sec-Fetch-Dest', path: '/msgbus/cam', headers: ['Sec-Fetch-Dest: image', 'Accept: */*'] },
  { name: 'Accept', path: '/msgbus/cam', headers: ['Accept: image/avif,image/webp,*/*;q=0.5'] },
]

for (const { name, path, headers } of pictureReaders) {
  await t.test(`an <img>, told by ${name}, gets bare frames with the next header sent ahead`, async t => {
    const server = await start(t)
    const { boundary } = server.server.bus
    const { stream } = await get(t, server, path, { headers })
    const opening = `--${boundary}\r\nContent-Type: image/jpeg\r\n\r\n`
    t.equal(await stream.readChunk(), opening)
    put(server, 'cam', 'text')
    put(server, 'cam', GIF.slice(0, 20), { type: 'image/gif' })
    put(server, 'cam', GIF)
    put(server, 'cam', '<svg xmlns="http://www.w3.org/2000/svg"/>', { type: 'image/svg+xml' })
    put(server, 'cam', GIF, { type: 'image/gif', sender: 'dug' })
    t.equal(await stream.readChunk(), `${GIF}\r\n${opening}`, 'only what is whole and called a picture')
    await server.server.close()
    t.equal(await stream.readToEnd(), '0\r\n\r\n')
  })
}

await t.test('an idle <img> gets its last frame again', async t => {
  const server = await start(t, { heartbeatMs: 100 })
  const stream = await subscribe(t, server, '/msgbus/cam?as=image')
  const frame = chunk(`${GIF}\r\n--${server.server.bus.boundary}\r\nContent-Type: image/jpeg\r\n\r\n`)
  put(server, 'cam', GIF, { type: 'image/gif' })
  t.equal(await stream.read(3 * frame.length), frame.repeat(3))
})

await t.test('of frames that came at once, an idle <img> gets only the last again', async t => {
  const server = await start(t, { heartbeatMs: 100 })
  const stream = await subscribe(t, server, '/msgbus/cam?as=image')
  // The end of a GIF is not looked behind, which makes two frames of one.
  put(server, 'cam', `${GIF}1`, { type: 'image/gif' })
  put(server, 'cam', `${GIF}2`, { type: 'image/gif' })
  const frame = (at: number) =>
    `${GIF}${at}\r\n--${server.server.bus.boundary}\r\nContent-Type: image/jpeg\r\n\r\n`
  for (const at of [1, 2, 2, 2]) t.equal(await stream.readChunk(), frame(at))
})

await t.test('a browser tab that shows parts is spared those it would download', async t => {
  const server = await start(t)
  const { boundary } = server.server.bus
  const { stream, head } = await get(t, server, '/msgbus/foo', { headers: [FIREFOX] })
  t.equal(head.headers.get('content-type'), `multipart/x-mixed-replace; boundary=${boundary}`)
  await stream.readChunk()
  const program = await subscribe(t, server, '/msgbus/foo?as=multipart', [FIREFOX])
  put(server, 'foo', 'x', { type: 'application/octet-stream' })
  put(server, 'foo', 'y', { type: 'video/mp4' })
  const id = put(server, 'foo', '<p>', { type: 'text/html; charset=utf-8' })
  t.equal(
    await stream.readChunk(),
    `Content-Type: text/html; charset=utf-8\r\nContent-Length: 3\r\nMsgbus-Id: ${id}\r\nMsgbus-Time: 1700000000000\r\n\r\n<p>\r\n--${boundary}\r\n`,
  )
  for (const body of ['x', 'y', '<p>']) t.equal((await program.readPart(boundary)).body, body)
})

const pageReaders = [
  { name: 'Accept', path: '/msgbus/foo', headers: [CHROMIUM] },
  {
    name: 'Sec-Fetch-Dest',
    path: '/msgbus/foo',
    headers: ['Sec-Fetch-Dest: iframe', 'sec-ch-ua: "Chromium"'],
  },
  { name: 'as=page', path: '/msgbus/foo?as=page', headers: [] },
]

for (const { name, path, headers } of pageReaders) {
  await t.test(`a tab that cannot show parts, told by ${name}, gets a page under its own policy`, async t => {
    const server = await start(t)
    const answer = await ask(t, server, 'GET', path, { headers })
    t.equal(answer.line, 'HTTP/1.1 200 OK')
    t.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
    const script = /<script[^>]*>([^]*?)<\/script>/.exec(answer.body)?.[1] ?? ''
    t.not(script, '')
    const hash = createHash('sha256').update(Buffer.from(script, 'latin1')).digest('base64')
    const policy = answer.headers.get('content-security-policy')?.split('; ') ?? []
    t.ok(policy.includes("default-src 'none'"))
    t.ok(policy.includes(`script-src 'sha256-${hash}'`), 'nothing runs but its own script')
    t.ok(policy.includes("connect-src 'self'"))
    t.ok(policy.includes("frame-ancestors 'self'"))
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    const head = await ask(t, server, 'HEAD', path, { headers })
    t.equal(head.headers.get('content-length'), answer.headers.get('content-length'))
    t.equal(head.headers.get('content-type'), 'text/html; charset=utf-8')
  })
}
