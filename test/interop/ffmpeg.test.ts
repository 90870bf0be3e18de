// ffmpeg as both sides of the bus: as a camera that pushes frames for as long as its request lasts, and as a reader that
// takes what a camera publishes for a film.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../needs.ts'
import { Command, run } from '../command.ts'
import { publish, start, subscribe } from '../wire/server.ts'

// A fixed quality, so that the same frame is the same JPEG in every film.
const FILM = ['-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=10', '-q:v', '5']

function ffmpeg(t: Test, args: readonly string[], cwd = '.'): Command {
  return new Command(t, 'ffmpeg', ['-nostdin', '-v', 'error', ...args], { cwd })
}

/** The first frames of the film as files 1.jpg, 2.jpg and so on, and their bytes. */
async function makeFrames(t: Test, count: number) {
  const dir = t.testdir({})
  const args = ['-nostdin', '-v', 'error', ...FILM, '-frames:v', `${count}`, '-f', 'image2', '%d.jpg']
  await run(t, 'ffmpeg', args, { cwd: dir })
  const frames = Array.from({ length: count }, (_, at) => readFileSync(join(dir, `${at + 1}.jpg`), 'latin1'))
  for (const frame of frames)
    t.ok(frame.startsWith('\xff\xd8\xff') && frame.endsWith('\xff\xd9'), 'is a JPEG')
  return { dir, frames }
}

await t.test(
  'ffmpeg is a camera: each frame arrives whole, as image/jpeg, while the camera runs',
  async t => {
    if (!needs(t, 'ffmpeg')) return
    const server = await start(t)
    const { frames } = await makeFrames(t, 3)
    const stream = await subscribe(t, server, '/msgbus/cam')
    const url = `http://127.0.0.1:${server.port}/msgbus/cam`
    // At the pace of the film, which has no end.
    const camera = ffmpeg(t, ['-re', ...FILM, '-f', 'mpjpeg', url])
    for (const frame of frames) {
      const { headers, body } = await stream.readPart(server.server.bus.boundary)
      t.equal(headers.get('content-type'), 'image/jpeg')
      t.equal(headers.get('content-length'), `${frame.length}`)
      t.ok(body === frame, 'is the frame byte for byte')
    }
    camera.signal('SIGKILL')
    await camera.ended()
  },
)

await t.test('a camera that has no more frames is told that all is well', async t => {
  if (!needs(t, 'ffmpeg')) return
  const server = await start(t)
  const url = `http://127.0.0.1:${server.port}/msgbus/cam`
  const camera = ffmpeg(t, ['-xerror', ...FILM, '-frames:v', '3', '-f', 'mpjpeg', url])
  const { code, stderr } = await camera.ended()
  t.equal(stderr, '')
  t.equal(code, 0)
  await server.log.until('pub', 3)
})

await t.test('ffmpeg is a reader: it takes every JPEG from a stream that goes on', async t => {
  if (!needs(t, 'ffmpeg')) return
  const server = await start(t, { heartbeatMs: 100 })
  const { dir, frames } = await makeFrames(t, 3)
  const url = `http://127.0.0.1:${server.port}/msgbus/cam`
  const copies = ['-frames:v', '3', '-c:v', 'copy', '-f', 'image2', 'copy%d.jpg']
  const reader = ffmpeg(t, ['-f', 'mpjpeg', '-strict_mime_boundary', '1', '-i', url, ...copies], dir)
  await server.log.until('sub')
  // Heartbeats before the first frame, and perhaps between others.
  const witness = await subscribe(t, server, '/msgbus/silent')
  await witness.readThrough('Msgbus-Ping: 2\r\n')
  for (const frame of frames) await publish(t, server, '/msgbus/cam', frame, { type: 'image/jpeg' })
  // It ends by itself, with the stream still open: so it had the last frame without waiting for another one.
  const { code, stderr } = await reader.ended()
  t.equal(stderr, '')
  t.equal(code, 0)
  for (const [at, frame] of frames.entries()) {
    t.ok(readFileSync(join(dir, `copy${at + 1}.jpg`), 'latin1') === frame, 'is the frame byte for byte')
  }
})

await t.test('README.md: ffmpeg -i INPUT -f mpjpeg …: one ffmpeg films, another one watches', async t => {
  if (!needs(t, 'ffmpeg') || !needs(t, 'sh')) return
  const [command = ''] = /(?<=`)ffmpeg [^`]+(?=`)/.exec(readFileSync('README.md', 'utf8')) ?? []
  t.equal(command, 'ffmpeg -i INPUT -f mpjpeg http://127.0.0.1:8888/msgbus/cam')
  const server = await start(t)
  const dir = t.testdir({})
  const cwd = { cwd: dir }
  await run(t, 'ffmpeg', ['-nostdin', '-v', 'error', ...FILM, '-frames:v', '5', 'film.avi'], cwd)
  const base = `http://127.0.0.1:${server.port}/`
  const copies = ['-frames:v', '5', '-c:v', 'copy', '-f', 'image2', 'copy%d.jpg']
  const reader = ffmpeg(t, ['-f', 'mpjpeg', '-i', `${base}msgbus/cam`, ...copies], dir)
  await server.log.until('sub')
  const camera = command.replace('http://127.0.0.1:8888/', base).replace('INPUT', 'film.avi')
  await run(t, 'sh', ['-c', camera], cwd)
  const { code, stderr } = await reader.ended()
  t.equal(stderr, '')
  t.equal(code, 0)
  const names = ['copy1.jpg', 'copy2.jpg', 'copy3.jpg', 'copy4.jpg', 'copy5.jpg', 'film.avi']
  t.strictSame(readdirSync(dir).sort(), names)
})
