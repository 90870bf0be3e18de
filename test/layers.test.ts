// Reads the import lines of the whole project and holds them against the table below: who may import whom, and which
// packages. The check itself is tried on small trees first, so that a table that lets everything through shows.

import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix } from 'node:path'
import t from 'tap'
import typescript from 'typescript'

interface Layer {
  readonly name: string
  /** Files, or folders with a slash at the end. The longest one that fits a file decides. */
  readonly places: readonly string[]
  /** Names of the layers that it may import; itself only if it says so. */
  readonly imports: readonly string[]
  /** Packages from npm that it may import. */
  readonly packages: readonly string[]
  /** True when the folders and files right below its place may not import each other. */
  readonly isApart?: boolean
}

const SERVER_PARTS = [
  'base',
  'log',
  'codec',
  'sink',
  'bus',
  'store interface',
  'memory store',
  'http',
  'protocol interface',
]

const LAYERS: readonly Layer[] = [
  {
    name: 'base',
    places: ['message', 'cursor', 'errors', 'statuses', 'channel', 'matcher', 'filter', 'pattern'].map(
      name => `src/${name}.ts`,
    ),
    imports: ['base'],
    packages: [],
  },
  { name: 'log', places: ['src/log.ts'], imports: ['base'], packages: ['pino'] },
  // What both sides of the wire do with files.
  { name: 'folder', places: ['src/make-folder.ts'], imports: [], packages: [] },
  { name: 'bytes', places: ['src/codec/bytes.ts'], imports: [], packages: [] },
  { name: 'codec', places: ['src/codec/'], imports: ['base', 'bytes', 'codec'], packages: [] },
  { name: 'sink', places: ['src/bus/sink.ts'], imports: ['base'], packages: [] },
  {
    name: 'bus',
    places: ['src/bus/'],
    imports: ['base', 'bytes', 'sink', 'store interface', 'memory store', 'bus'],
    packages: [],
  },
  // The one that every bus has unless it is given another.
  {
    name: 'memory store',
    places: [
      'memory',
      'history',
      'channel-log',
      'gone',
      'queue',
      'due-queue',
      'sequence',
      'retention',
      'search',
    ].map(name => `src/store/${name}.ts`),
    imports: ['base', 'store interface', 'memory store'],
    packages: [],
  },
  {
    name: 'store interface',
    places: ['src/store/store.ts', 'src/store/store-error.ts'],
    imports: ['base'],
    packages: [],
  },
  // Loaded only when it is asked for.
  {
    name: 'file store',
    places: ['src/store/file.ts', 'src/store/file/'],
    imports: ['base', 'log', 'folder', 'store interface', 'memory store', 'file store'],
    packages: ['classic-level'],
  },
  // The store of another process of the same server.
  {
    name: 'remote store',
    places: ['src/store/remote/'],
    imports: ['base', 'store interface', 'memory store', 'remote store'],
    packages: [],
  },
  {
    name: 'store',
    places: ['src/store/'],
    imports: ['base', 'log', 'store interface', 'memory store', 'file store', 'store'],
    packages: [],
  },
  {
    name: 'http',
    places: ['src/http/'],
    imports: ['base', 'log', 'sink', 'http'],
    packages: ['basic-auth', 'busboy', 'finalhandler', 'mime-types', 'serve-static'],
  },
  {
    name: 'protocol interface',
    places: ['src/protocols/protocol.ts', 'src/protocols/publish-log.ts'],
    imports: ['base', 'log', 'bus', 'sink', 'codec', 'http'],
    packages: [],
  },
  {
    name: 'protocol',
    places: ['src/protocols/'],
    imports: [
      'base',
      'log',
      'bus',
      'sink',
      'store interface',
      'codec',
      'http',
      'protocol interface',
      'protocol',
    ],
    packages: ['busboy', 'mime-types', 'ws'],
    isApart: true,
  },
  { name: 'config', places: ['src/config/'], imports: ['base', 'config'], packages: ['valibot', 'yaml'] },
  {
    name: 'composition',
    places: ['certificate', 'cli', 'exit', 'open-stores', 'process', 'run-server', 'serve', 'server'].map(
      name => `src/${name}.ts`,
    ),
    imports: [...SERVER_PARTS, 'protocol', 'store', 'config', 'composition', 'workers', 'commands'],
    packages: [],
  },
  // The same server in several processes.
  {
    name: 'workers',
    places: ['src/workers/'],
    imports: [...SERVER_PARTS, 'remote store', 'config', 'composition', 'workers'],
    packages: [],
  },
  // For embedders alone: no layer may import it, so that it closes no circle.
  {
    name: 'index',
    places: ['src/index.ts'],
    imports: [...SERVER_PARTS, 'protocol', 'store', 'config', 'composition'],
    packages: [],
  },
  { name: 'client', places: ['client/'], imports: ['base', 'codec', 'client'], packages: [] },
  {
    name: 'commands',
    places: ['client/commands/'],
    imports: ['base', 'folder', 'codec', 'client', 'commands'],
    packages: ['mime-types'],
  },
  { name: 'chatdemo', places: ['chatdemo/'], imports: ['client', 'chatdemo'], packages: [] },
  {
    name: 'tools',
    places: ['tools/'],
    imports: ['base', 'codec', 'client', 'tools'],
    packages: ['hdr-histogram-js'],
  },
]

const FOLDERS = ['src', 'client', 'chatdemo', 'tools']

/** Everything that breaks a rule in the tree below `root`, one line each. */
function findFaults(root: string): string[] {
  const files = new Map(listFiles(root).map(path => [path, readFileSync(join(root, path), 'utf8')]))
  const importsOf = new Map([...files].map(([path, text]) => [path, readImports(path, text)]))
  const faults = [...importsOf].flatMap(([path, imports]) =>
    imports.flatMap(name => checkImport(path, name, files)),
  )
  const homeless = [...files.keys()].filter(path => layerOf(path) === null)
  return [...homeless.map(path => `${path} belongs to no layer`), ...faults, ...findCycles(importsOf)].sort()
}

function listFiles(root: string): string[] {
  return FOLDERS.flatMap(folder => {
    try {
      const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      return names.filter(name => name.endsWith('.ts')).map(name => posix.join(folder, name))
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
      throw error
    }
  }).sort()
}

/** Every module that a file names: a path from the root for one of ours, else the name as it stands there. */
function readImports(path: string, text: string): string[] {
  const names = typescript.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
  return names.map(name => (isRelative(name) ? posix.join(posix.dirname(path), name) : name))
}

function isRelative(name: string): boolean {
  return name.startsWith('./') || name.startsWith('../')
}

function layerOf(path: string): Layer | null {
  const fits = (place: string): boolean => (place.endsWith('/') ? path.startsWith(place) : path === place)
  const lengthOf = (layer: Layer): number =>
    Math.max(0, ...layer.places.filter(fits).map(place => place.length))
  const found = LAYERS.reduce((best, layer) => (lengthOf(layer) > lengthOf(best) ? layer : best))
  return lengthOf(found) > 0 ? found : null
}

function checkImport(path: string, name: string, files: ReadonlyMap<string, string>): string[] {
  const layer = layerOf(path)
  if (layer === null) return []
  const isBrowserFile = runsInBrowsers(files.get(path) ?? '')
  if (isBuiltin(name)) return isBrowserFile ? [`${path} runs in browsers and imports ${name}`] : []
  const text = files.get(name)
  if (text === undefined) return checkPackage(path, name, layer)
  const faults: string[] = []
  const target = layerOf(name)
  if (target !== null && !layer.imports.includes(target.name)) {
    faults.push(`${path} imports ${name}: ${layer.name} may not import ${target.name}`)
  } else if (target === layer && layer.isApart === true && partOf(path, layer) !== partOf(name, layer)) {
    faults.push(`${path} imports ${name}: one ${layer.name} may not import another`)
  }
  if (isBrowserFile && !runsInBrowsers(text))
    faults.push(`${path} runs in browsers and imports ${name}, which may not`)
  return faults
}

function checkPackage(path: string, name: string, layer: Layer): string[] {
  if (FOLDERS.some(folder => name.startsWith(`${folder}/`)))
    return [`${path} imports ${name}, which is not there`]
  const depth = name.startsWith('@') ? 2 : 1
  const packageName = name.split('/').slice(0, depth).join('/')
  return layer.packages.includes(packageName)
    ? []
    : [`${path} imports ${name}: not a package of ${layer.name}`]
}

function partOf(path: string, layer: Layer): string | undefined {
  const place = layer.places.find(folder => path.startsWith(folder)) ?? ''
  return path.slice(place.length).split('/')[0]
}

/** Said in the comment that opens a file. */
function runsInBrowsers(text: string): boolean {
  return /^(?:\/\/.*\n)*\/\/.*\bRuns in browsers\./.test(text)
}

/** One line for each way back to a file that is still being followed. */
function findCycles(importsOf: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const cycles: string[] = []
  const follow = (path: string, trail: readonly string[]): void => {
    const startsAt = trail.indexOf(path)
    if (startsAt >= 0) cycles.push(`cycle: ${[...trail.slice(startsAt), path].join(' > ')}`)
    if (startsAt >= 0 || done.has(path)) return
    for (const next of importsOf.get(path) ?? []) follow(next, [...trail, path])
    done.add(path)
  }
  for (const path of importsOf.keys()) follow(path, [])
  return cycles
}

const BROWSERS = '// A file. Runs in browsers.\n'

const TREES = [
  {
    title: 'a tree in which every arrow points down is clean',
    tree: {
      src: {
        'errors.ts': BROWSERS,
        'message.ts': `${BROWSERS}import { a } from './errors.ts'`,
        bus: {
          'sink.ts': "import type { M } from '../message.ts'",
          'bus.ts': "import { S } from './sink.ts'",
        },
        http: { 'a.ts': "import serve from 'serve-static'\nimport fs from 'fs'\nimport '../bus/sink.ts'" },
        protocols: {
          'protocol.ts': '',
          native: { 'a.ts': "import './b.ts'\nimport '../protocol.ts'", 'b.ts': "import '../../bus/bus.ts'" },
        },
        'cli.ts': "import './http/a.ts'\nimport './protocols/native/a.ts'",
      },
      client: { 'a.ts': "// Text, no import: 'node:fs'\nimport '../src/message.ts'" },
    },
    faults: [],
  },
  {
    title: 'arrows that point up or aside are named, whatever their form',
    tree: {
      src: {
        'errors.ts': "import type { B } from './bus/bus.ts'",
        bus: {
          'bus.ts': "export { x } from '../http/a.ts'",
          'lane.ts': "export const load = () => import('../http/a.ts')",
          'type.ts': "export type T = import('../http/a.ts').T",
          'star.ts': "export * from '../http/a.ts'",
          'lines.ts': "import {\n  type A,\n  type B,\n} from '../http/a.ts'",
        },
        http: { 'a.ts': '' },
        codec: { 'a.ts': "import '../bus/sink.ts'" },
      },
      tools: { 'pub.ts': "import '../src/bus/bus.ts'" },
    },
    faults: [
      'src/bus/bus.ts imports src/http/a.ts: bus may not import http',
      'src/bus/lane.ts imports src/http/a.ts: bus may not import http',
      'src/bus/lines.ts imports src/http/a.ts: bus may not import http',
      'src/bus/star.ts imports src/http/a.ts: bus may not import http',
      'src/bus/type.ts imports src/http/a.ts: bus may not import http',
      'src/codec/a.ts imports src/bus/sink.ts, which is not there',
      'src/errors.ts imports src/bus/bus.ts: base may not import bus',
      'tools/pub.ts imports src/bus/bus.ts: tools may not import bus',
    ],
  },
  {
    title: 'a cycle is named with its whole way, even of types and of one file',
    tree: {
      src: {
        bus: {
          'a.ts': "import './b.ts'",
          'b.ts': "import type { C } from './c.ts'",
          'c.ts': "import './a.ts'",
          'd.ts': "import './d.ts'",
          'e.ts': "import './a.ts'",
        },
      },
    },
    faults: [
      'cycle: src/bus/a.ts > src/bus/b.ts > src/bus/c.ts > src/bus/a.ts',
      'cycle: src/bus/d.ts > src/bus/d.ts',
    ],
  },
  {
    title: 'one protocol that imports another, and whoever imports the index, are named',
    tree: {
      src: {
        'index.ts': "export * from './serve.ts'",
        'serve.ts': '',
        'cli.ts': "import './index.ts'",
        protocols: {
          'hbpush.ts': "import './native/a.ts'",
          native: { 'a.ts': '', 'b.ts': "import '../queue/a.ts'" },
          queue: { 'a.ts': '' },
        },
      },
    },
    faults: [
      'src/cli.ts imports src/index.ts: composition may not import index',
      'src/protocols/hbpush.ts imports src/protocols/native/a.ts: one protocol may not import another',
      'src/protocols/native/b.ts imports src/protocols/queue/a.ts: one protocol may not import another',
    ],
  },
  {
    title: 'files that run in browsers import nothing of Node, with or without its prefix, nor what might',
    tree: {
      src: {
        'errors.ts': '',
        'channel.ts': `// First line.\n${BROWSERS}import 'node:fs'\nimport path from 'path'\nimport './errors.ts'`,
        'message.ts': "import 'node:fs'\n// Runs in browsers.",
      },
    },
    faults: [
      'src/channel.ts runs in browsers and imports node:fs',
      'src/channel.ts runs in browsers and imports path',
      'src/channel.ts runs in browsers and imports src/errors.ts, which may not',
    ],
  },
  {
    title: 'packages that a folder may not use, and files of no layer, are named',
    tree: {
      src: {
        'other.ts': '',
        bus: { 'a.ts': "import 'pino'\nimport '@scope/thing/deep'" },
        'log.ts': "import 'pino/file'\nimport 'msgbus'",
      },
    },
    faults: [
      'src/bus/a.ts imports @scope/thing/deep: not a package of bus',
      'src/bus/a.ts imports pino: not a package of bus',
      'src/log.ts imports msgbus: not a package of log',
      'src/other.ts belongs to no layer',
    ],
  },
] as const

for (const { title, tree, faults } of TREES) {
  await t.test(title, t => {
    t.strictSame(findFaults(t.testdir(tree)), faults)
    t.end()
  })
}

await t.test('the table names no layer that it does not have', t => {
  const names = LAYERS.map(({ name }) => name)
  t.strictSame(
    LAYERS.flatMap(({ imports }) => imports).filter(name => !names.includes(name)),
    [],
  )
  t.end()
})

await t.test('the project itself keeps to the table', t => {
  const root = process.cwd()
  t.ok(listFiles(root).length > 0, 'there is something to check')
  t.strictSame(findFaults(root), [])
  t.end()
})
