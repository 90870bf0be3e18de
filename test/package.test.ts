// The package as npm would publish it: what is in the tarball, whether it says the truth about itself, and whether it
// works for somebody who has nothing but the tarball and the packages it declares. The network is not asked.

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import { publint } from 'publint'
import t, { type Test } from 'tap'
import typescript from 'typescript'
import { needs } from './needs.ts'
import { type Ending, Command, run } from './command.ts'
import { ask, publish, subscribe } from './wire/server.ts'

const ROOT = process.cwd()
const NPM_OPTIONS = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier']

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
}
const MANIFEST = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
const DEPENDENCIES = Object.keys(MANIFEST.dependencies)

/** Paths of all files below a directory, relative to it, with slashes. */
function listFiles(dir: string): string[] {
  const entries = readdirSync(join(ROOT, dir), { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  return files.map(path => path.slice(join(ROOT, dir).length + 1).replaceAll('\\', '/'))
}

/** What should ship, made of what there is to be built. */
function wantedFiles(): string[] {
  // What needs a page is in the bundle of one.
  const isForPages = (path: string): boolean => /^(?:pages\/|render)/.test(path)
  const sources = [
    ...listFiles('src').map(path => `dist/src/${path}`),
    ...listFiles('client').flatMap(path => (isForPages(path) ? [] : [`dist/client/${path}`])),
  ]
  const modules = sources.map(path => path.replace(/\.ts$/, ''))
  const pages = listFiles('client/pages').filter(path => /^[^/]+\/index\.html$/.test(path))
  return [
    ...['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json'],
    ...['chat.js', 'icon.svg', 'index.html', 'style.css'].map(name => `dist/chatdemo/${name}`),
    ...listFiles('doc').map(path => `doc/${path}`),
    ...modules.flatMap(path => [`${path}.d.ts`, `${path}.js`]),
    ...['dist/client/client.js', 'dist/client/client-on-demand.js'],
    ...pages.map(path => `dist/pages/${dirname(path)}.html`),
  ].sort()
}

/** Packs what is built and returns the path of the tarball. */
async function pack(t: Test): Promise<string> {
  const dir = t.testdir({})
  await run(t, 'npm', ['pack', ...NPM_OPTIONS, '--pack-destination', dir], { cwd: ROOT })
  return join(dir, `msgbus-${MANIFEST.version}.tgz`)
}

/**
 * Makes a project outside of the repository, so that nothing is found by chance, in which the tarball and the packages
 * that it declares are installed, and nothing else but Node's types.
 */
async function install(t: Test, tarball: string): Promise<string> {
  const dir = mkdtempSync(join(realpathSync(tmpdir()), 'msgbus-package-'))
  t.teardown(() => {
    rmSync(dir, { recursive: true, force: true })
  })
  const modules = join(dir, 'node_modules')
  mkdirSync(join(modules, 'msgbus'), { recursive: true })
  await run(t, 'tar', ['-xzf', tarball, '-C', join(modules, 'msgbus'), '--strip-components=1'])
  for (const name of [...DEPENDENCIES, '@types/node']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'dir')
  }
  const manifest = {
    name: 'project',
    private: true,
    type: 'module',
    dependencies: { msgbus: MANIFEST.version },
  }
  writeFileSync(join(dir, 'package.json'), JSON.stringify(manifest))
  return dir
}

function compile(t: Test, dir: string, module: string, moduleResolution: string): Promise<Ending> {
  const compiler = join(ROOT, 'node_modules/typescript/lib/tsc.js')
  const options = [
    '--target',
    'es2022',
    '--types',
    'node',
    '--strict',
    '--exactOptionalPropertyTypes',
    '--noEmit',
  ]
  const modules = ['--module', module, '--moduleResolution', moduleResolution]
  return new Command(t, process.execPath, [compiler, ...options, ...modules, 'app.ts'], { cwd: dir }).ended()
}

await t.test('the package', async t => {
  if (!needs(t, 'npm') || !needs(t, 'tar')) return
  const tarball = await pack(t)

  await t.test('holds what should ship and nothing else', async t => {
    const { stdout } = await run(t, 'tar', ['-tzf', tarball])
    const files = stdout.trimEnd().split('\n')
    t.strictSame(files.map(path => path.replace(/^package\//, '')).sort(), wantedFiles())
  })

  await t.test('has nothing that publint would change', async t => {
    const bytes = Uint8Array.from(readFileSync(tarball)).buffer
    const { messages } = await publint({ strict: true, pack: { tarball: bytes } })
    t.strictSame(messages, [])
  })

  await t.test('has types that are right for every resolver of ES modules', async t => {
    const program = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    const options = ['--profile', 'esm-only', '--no-definitely-typed', '--no-color', '--no-emoji']
    const { code, stdout } = await new Command(t, process.execPath, [program, tarball, ...options]).ended()
    t.equal(code, 0, stdout)
  })

  await t.test('imports nothing but itself, Node and what it declares', async t => {
    const dir = await install(t, tarball)
    const root = join(dir, 'node_modules/msgbus')
    const files = wantedFiles().filter(path => /^dist\/(?:src|client)\//.test(path))
    const faults: string[] = []
    const used = new Set<string>()
    for (const path of files) {
      const { importedFiles } = typescript.preProcessFile(readFileSync(join(root, path), 'utf8'), true, true)
      for (const { fileName } of importedFiles.filter(({ fileName }) => !isBuiltin(fileName))) {
        const name = fileName
          .split('/')
          .slice(0, fileName.startsWith('@') ? 2 : 1)
          .join('/')
        // A declaration names the source, and the compiler takes the declaration beside it.
        const target = posix.join(posix.dirname(path), fileName.replace(/(?<!\.d)\.ts$/, '.d.ts'))
        if (fileName.startsWith('.') ? !files.includes(target) : !DEPENDENCIES.includes(name)) {
          faults.push(`${path} imports ${fileName}`)
        }
        used.add(name)
      }
    }
    t.strictSame(faults, [])
    t.strictSame(
      DEPENDENCIES.filter(name => !used.has(name)),
      [],
      'and declares nothing that it does not import',
    )
  })

  await t.test(
    'brings a program that npm finds, and that serves the bus, its pages and the demo',
    async t => {
      const dir = await install(t, tarball)
      // Makes the links to programs that an installation makes.
      await run(t, 'npm', ['rebuild', ...NPM_OPTIONS, 'msgbus'], { cwd: dir })
      const version = await run(t, 'npm', ['exec', ...NPM_OPTIONS, '--', 'msgbus', '--version'], { cwd: dir })
      t.equal(version.stdout, `msgbus ${MANIFEST.version}\n`)
      for (const name of ['msgsend', 'msgdump']) {
        const help = await run(t, 'npm', ['exec', ...NPM_OPTIONS, '--', name, '--help'], { cwd: dir })
        t.match(help.stdout, `Usage: ${name} `)
      }

      const args = ['--port', '0', '--root', 'node_modules/msgbus/dist/chatdemo']
      const program = new Command(t, join(dir, 'node_modules/.bin/msgbus'), args, { cwd: dir })
      const greeting = await program.readThrough('/msgbus/\n')
      const port = Number(/http:\/\/127\.0\.0\.1:(\d+)\//.exec(greeting)?.[1])
      const stream = await subscribe(t, { port }, '/msgbus/foo?framing=2008')
      await publish(t, { port }, '/msgbus/foo', 'hello')
      t.equal(await stream.readChunk(), 'Content-Type: text/plain\n\nhello--00MsgBus00\n')
      for (const [path, mark] of [
        ['/msgbus/foo?as=page', '<script>'],
        ['/', 'chat.js'],
        ['/chat.js', 'msgbus'],
      ] as const) {
        const { status, body } = await ask(t, { port }, 'GET', path)
        t.equal(status, 200, path)
        t.ok(body.includes(mark), `${path} has ${mark}`)
      }
      program.signal('SIGTERM')
      t.equal((await program.ended()).code, 0)
    },
  )

  await t.test('can be imported by its name and publishes from code', async t => {
    const dir = await install(t, tarball)
    const lines = [
      "import { Bus, createServer } from 'msgbus'",
      'const server = createServer({ bus: new Bus() })',
      'console.log(await server.listen())',
      "process.stdin.on('data', body => server.bus.publish({ channel: 'foo', type: 'text/plain', sender: null, body }))",
    ]
    writeFileSync(join(dir, 'app.js'), lines.join('\n'))
    const program = new Command(t, process.execPath, ['app.js'], { cwd: dir, isInteractive: true })
    const { port } = new URL(await program.readThrough('\n'))
    const stream = await subscribe(t, { port: Number(port) }, '/msgbus/foo?framing=2008')
    program.write('hello')
    t.equal(await stream.readChunk(), 'Content-Type: text/plain\n\nhello--00MsgBus00\n')
  })

  await t.test('is typed for who resolves like Node and for who bundles', async t => {
    const dir = await install(t, tarball)
    const lines = [
      "import { Bus, createServer, Filter, MsgbusError, parseMatcher, type Message, type Server } from 'msgbus'",
      'const server: Server = createServer({ bus: new Bus(), maxBodyBytes: 1000 })',
      "const body = Buffer.from('hello')",
      "const message: Message = await server.bus.publish({ channel: 'foo', type: 'text/plain', sender: null, body })",
      'export const id: string = message.id',
      "export const url: Promise<string> = server.listen({ address: '127.0.0.1', port: 0 })",
      "export const code = (error: MsgbusError): 'MSGBUS_BUSY' | 'other' => (error.code === 'MSGBUS_BUSY' ? error.code : 'other')",
      'export const others = [Filter, parseMatcher]',
      '// @ts-expect-error: an option that is not there, unless everything were any',
      'createServer({ maxBody: 1000 })',
      '// @ts-expect-error: a message has all of its fields',
      "server.bus.publish({ channel: 'foo' })",
    ]
    writeFileSync(join(dir, 'app.ts'), lines.join('\n'))
    for (const [module, resolution] of [
      ['nodenext', 'nodenext'],
      ['esnext', 'bundler'],
    ] as const) {
      const { code, stdout } = await compile(t, dir, module, resolution)
      t.equal(stdout, '', resolution)
      t.equal(code, 0, resolution)
    }
  })
})
