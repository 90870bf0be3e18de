// msgbus beside others on the same machine, in the same run: nginx with nchan, NATS and Mosquitto, one after the other on one
// core, under the same load from another. Prints a table; with `--write` it puts it, the figures and a chart into doc/, too.
// Linux with two cores; installs what is missing as root on a Debian-like system, and goes on without what it cannot have.
//
//   npm run bench:peers [-- --only a,b] [--servers msgbus,nchan] [--rounds 3] [--write]

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bareNode } from './peers/bare-node.ts'
import { chartOf, type Group } from './peers/chart.ts'
import type { Contender } from './peers/contender.ts'
import { UPGRADE } from './peers/http-wire.ts'
import { type Figure, measure } from './peers/measure.ts'
import { mosquitto } from './peers/mosquitto.ts'
import { msgbus } from './peers/msgbus.ts'
import { nats } from './peers/nats.ts'
import { nchan } from './peers/nchan.ts'
import { type Rounds, rowsOf, tableOf } from './peers/report.ts'
import { type Workload, WORKLOADS } from './peers/workload.ts'

const IDLE = ['j']
const EVENTS = ['Accept: text/event-stream']

const CONTENDERS: readonly Contender[] = [
  msgbus('msgbus'),
  msgbus('2 workers', { args: ['--workers', '2'], only: ['a', 'b', 'c'] }),
  bareNode,
  nchan('nchan', { form: 'http-multipart', accept: ['Accept: multipart/mixed'] }),
  nchan('nchan raw', { form: 'http-raw-stream' }),
  nats,
  mosquitto,
  msgbus('msgbus events', { only: IDLE, accept: EVENTS }),
  nchan('nchan events', { only: IDLE, form: 'eventsource', accept: EVENTS }),
  msgbus('msgbus WebSocket', { only: IDLE, accept: UPGRADE }),
  nchan('nchan WebSocket', { only: IDLE, form: 'websocket', accept: UPGRADE }),
]

const DOC = 'doc/benchmarks.md'
const MARKS = ['<!-- figures: begin -->', '<!-- figures: end -->'] as const

const USAGE = 'npm run bench:peers -- [--only a,b] [--servers msgbus,nchan] [--rounds 3] [--write]'

function fail(text: string): never {
  process.stderr.write(`bench:peers: ${text}\n`)
  process.exit(1)
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string' },
        servers: { type: 'string' },
        rounds: { type: 'string', default: '3' },
        write: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return fail(`${(error as Error).message.split('. ')[0]}: ${USAGE}`)
  }
}

const values = readOptions()
if (!/^[1-9]\d?$/.test(values.rounds)) fail(`"${values.rounds}" is no number of rounds from 1 to 99`)

function chosen<Item>(
  items: readonly Item[],
  names: string | undefined,
  nameOf: (item: Item) => string,
): Item[] {
  if (names === undefined) return [...items]
  return names.split(',').map(name => {
    const item = items.find(one => nameOf(one) === name)
    if (item !== undefined) return item
    return fail(`"${name}" is none of ${items.map(nameOf).join(', ')}`)
  })
}

function isThere({ needs }: Contender): boolean {
  return needs === null || spawnSync('sh', ['-c', `command -v ${needs.program}`]).status === 0
}

function provide(contender: Contender): boolean {
  if (isThere(contender)) return true
  const packages = contender.needs?.packages ?? []
  if (process.getuid?.() === 0) {
    // What apt-get says is talk.
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], {
      stdio: ['ignore', 2, 2],
    })
  }
  if (isThere(contender)) return true
  process.stderr.write(
    `bench:peers: goes on without ${contender.name}: apt-get install ${packages.join(' ')}\n`,
  )
  return false
}

function makeCertificate(folder: string): string {
  const [key, certificate, pem] = ['key', 'certificate', 'pem'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ]
  execFileSync('openssl', [...request, '-subj', '/CN=localhost', '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  })
  writeFileSync(pem, readFileSync(certificate, 'latin1') + readFileSync(key, 'latin1'))
  return pem
}

async function attempt(contender: Contender, workload: Workload, pemFile: string): Promise<Figure | null> {
  try {
    return await measure(contender, workload, pemFile)
  } catch (error) {
    process.stderr.write(`bench:peers: ${contender.name} in ${workload.key}: ${(error as Error).message}\n`)
    return null
  }
}

async function compare(
  workload: Workload,
  contenders: readonly Contender[],
  pemFile: string,
): Promise<Group> {
  const able = contenders.filter(
    ({ name, only, speaksTls, wire }) =>
      (workload.isOwn !== true || name === 'msgbus') &&
      (only === undefined || only.includes(workload.key)) &&
      (workload.isTls !== true || speaksTls) &&
      (workload.needsStream !== true || wire.stream !== null),
  )
  const results = new Map<string, (Figure | null)[]>(able.map(({ name }) => [name, []]))
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const contender of round % 2 === 0 ? able : able.toReversed()) {
      results.get(contender.name)?.push(await attempt(contender, workload, pemFile))
    }
  }
  return { workload, rows: rowsOf(workload, results satisfies ReadonlyMap<string, Rounds>) }
}

execFileSync('taskset', ['-cp', '1', String(process.pid)])
const workloads = chosen(WORKLOADS, values.only, ({ key }) => key)
const contenders = chosen(CONTENDERS, values.servers, ({ name }) => name).filter(provide)
const folder = mkdtempSync(join(tmpdir(), 'msgbus-bench-'))
const groups: Group[] = []
try {
  const pemFile = makeCertificate(folder)
  for (const workload of workloads) {
    const group = await compare(workload, contenders, pemFile)
    groups.push(group)
    process.stdout.write(`${tableOf(workload, group.rows)}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (values.write) {
  const machine = `${cpus()[0]?.model.trim() ?? 'unknown'}, one core each for server and load; Node ${process.version}; median of ${values.rounds} rounds; ${new Date().toISOString().slice(0, 10)}`
  const tables = groups.map(({ workload, rows }) => tableOf(workload, rows)).join('\n')
  const [before = '', rest = ''] = readFileSync(DOC, 'utf8').split(MARKS[0])
  const [, after = ''] = rest.split(MARKS[1])
  writeFileSync(DOC, `${before}${MARKS[0]}\n\n${machine}\n\n${tables}\n${MARKS[1]}${after}`)
  writeFileSync(
    'doc/benchmarks.json',
    `${JSON.stringify({ machine, groups: groups.map(({ workload, rows }) => ({ key: workload.key, title: workload.title, rows })) }, null, 2)}\n`,
  )
  writeFileSync(
    'doc/benchmarks.svg',
    chartOf(groups.filter(({ workload: { isIdle, isOwn } }) => isIdle !== true && isOwn !== true)),
  )
}
process.exit(0)
