import { IncomingMessage, type IncomingHttpHeaders } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { OriginRule } from '../../src/http/origin-rule.ts'

function requestOf(method: string, headers: IncomingHttpHeaders): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  req.method = method
  req.headers = { host: 'bus:8888', ...headers }
  return req
}

const REFUSED = { code: 'MSGBUS_ORIGIN' }

await t.test('writing is for programs and for pages of this very origin', t => {
  const rule = new OriginRule([])
  const allowed: readonly IncomingHttpHeaders[] = [
    {},
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    { origin: 'http://bus:8888' },
    { origin: 'https://bus:8888' },
  ]
  const refused: readonly IncomingHttpHeaders[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': '' },
    { 'sec-fetch-site': 'same-origin, none' },
    { 'sec-fetch-site': 'cross-site', origin: 'http://bus:8888' },
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
    { origin: 'http://bus' },
    { origin: 'http://bus:8889' },
    { origin: 'http://evil' },
    { origin: 'null' },
    { origin: '' },
    { origin: 'file://' },
    { origin: 'http://http://bus:8888' },
  ]
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'X']) {
    for (const headers of allowed) rule.check(requestOf(method, headers))
    for (const headers of refused) {
      t.throws(
        () => {
          rule.check(requestOf(method, headers))
        },
        REFUSED,
        `${method} ${JSON.stringify(headers)}`,
      )
    }
  }
  t.throws(() => {
    rule.check(requestOf('POST', { host: undefined, origin: 'http://a' }))
  }, REFUSED)
  t.end()
})

await t.test('reading is refused to pages of other sites, except that people may go there', t => {
  const rule = new OriginRule([])
  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    rule.check(requestOf(method, {}))
    rule.check(requestOf(method, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }))
    rule.check(requestOf(method, { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }))
    for (const mode of ['cors', 'no-cors', 'websocket', undefined]) {
      const headers = {
        'sec-fetch-site': 'cross-site',
        ...(mode === undefined ? {} : { 'sec-fetch-mode': mode }),
      }
      t.throws(
        () => {
          rule.check(requestOf(method, headers))
        },
        REFUSED,
        mode ?? 'none',
      )
    }
  }
  t.throws(() => {
    rule.check(requestOf('GET', { 'service-worker': 'script' }))
  }, REFUSED)
  t.end()
})

await t.test('a listed origin may do all that programs may, and is listed in every letter', t => {
  const rule = new OriginRule(['https://good.example', 'http://a:1'])
  for (const origin of ['https://good.example', 'http://a:1']) {
    for (const method of ['GET', 'POST'])
      rule.check(requestOf(method, { origin, 'sec-fetch-site': 'cross-site' }))
  }
  for (const origin of [
    'http://good.example',
    'https://good.example:443',
    'https://Good.example',
    'https://x.good.example',
    'null',
    '*',
  ]) {
    t.throws(
      () => {
        rule.check(requestOf('POST', { origin }))
      },
      REFUSED,
      origin,
    )
    t.strictSame(rule.corsHeaders(requestOf('POST', { origin })), ['Vary', 'Origin'], origin)
  }
  t.end()
})

await t.test('CORS headers echo one listed origin, and are silent where none is listed', t => {
  const origin = 'https://good.example'
  const headers = new OriginRule([origin]).corsHeaders(requestOf('GET', { origin }))
  t.equal(headers.length % 2, 0)
  t.equal(headers[headers.indexOf('Access-Control-Allow-Origin') + 1], origin)
  t.strictSame(new OriginRule([origin]).corsHeaders(requestOf('GET', {})), ['Vary', 'Origin'])
  t.strictSame(new OriginRule([]).corsHeaders(requestOf('GET', { origin })), [])
  t.end()
})
