// @ts-check
// Builds everything that is shipped or tested, from nothing, into dist/: the compiled TypeScript, one self-contained
// HTML file per page of the server, the client library, and the chat demo. Checks no style and runs no test.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { bundleClient } from './client-bundle.js'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const PAGES = join(ROOT, 'client', 'pages')
const CHATDEMO = join(ROOT, 'chatdemo')
const DIST = join(ROOT, 'dist')

process.stderr.write('building msgbus ...\n')

/**
 * Bundles what an entry file imports into one text, readable in any browser of the last years.
 * @param {string} path
 */
async function bundle(path) {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [path],
    bundle: true,
    charset: 'utf8',
    format: 'iife',
    legalComments: 'none',
    logLevel: 'warning',
    platform: 'browser',
    target: 'es2022',
    write: false,
  })
  const file = result.outputFiles[0]
  if (file === undefined) throw new Error(`Cannot bundle "${path}": esbuild returned nothing`)
  return file.text
}

/**
 * Puts `text` where the marker stands. The marker must be there once, or a page would be built without its script.
 * @param {string} html
 * @param {string} marker
 * @param {string} text
 */
function replaceMarker(html, marker, text) {
  const [before, after, ...others] = html.split(marker)
  if (before === undefined || after === undefined || others.length > 0) {
    throw new Error(
      `Cannot build this page: "${marker}" must stand in it once, found ${html.split(marker).length - 1}`,
    )
  }
  return `${before}${text}${after}`
}

/**
 * Escapes what would end or hide the element for the HTML parser. Both escapes mean the same inside strings, templates
 * and regular expressions, which is where such text can stand in a bundle.
 * @param {string} code
 */
function escapeScript(code) {
  return code.replace(/<\/(?=script)/gi, '<\\/').replaceAll('<!--', '<\\x21--')
}

/** @param {string} css */
function escapeStyle(css) {
  return css.replace(/<\/(?=style)/gi, '<\\/')
}

/** @param {string} name */
async function buildPage(name) {
  const folder = join(PAGES, name)
  const style = escapeStyle(await bundle(join(folder, 'page.css')))
  const script = escapeScript(await bundle(join(folder, 'page.ts')))
  // The script goes in last: it may well hold the text of the other marker.
  const html = replaceMarker(
    readFileSync(join(folder, 'index.html'), 'utf8'),
    '<!-- style -->',
    `<style>\n${style}</style>`,
  )
  const page = replaceMarker(html, '<!-- script -->', `<script>\n${script}</script>`)
  mkdirSync(join(DIST, 'pages'), { recursive: true })
  writeFileSync(join(DIST, 'pages', `${name}.html`), page)
}

async function buildClient() {
  for (const [name, bytes] of await bundleClient()) writeFileSync(join(DIST, 'client', name), bytes)
}

async function buildChatdemo() {
  const folder = join(DIST, 'chatdemo')
  mkdirSync(folder, { recursive: true })
  for (const file of ['index.html', 'icon.svg']) cpSync(join(CHATDEMO, file), join(folder, file))
  writeFileSync(join(folder, 'style.css'), await bundle(join(CHATDEMO, 'style.css')))
  writeFileSync(join(folder, 'chat.js'), await bundle(join(CHATDEMO, 'chat.ts')))
}

function compile() {
  const compiler = fileURLToPath(import.meta.resolve('typescript/lib/tsc.js'))
  const { status, error } = spawnSync(
    process.execPath,
    [compiler, '--project', join(ROOT, 'tsconfig.json')],
    {
      stdio: 'inherit',
    },
  )
  if (error !== undefined) throw error
  if (status !== 0) process.exit(1)
}

function pageNames() {
  if (!existsSync(PAGES)) return []
  const names = readdirSync(PAGES, { withFileTypes: true }).filter(entry => entry.isDirectory())
  return names.map(entry => entry.name).filter(name => existsSync(join(PAGES, name, 'index.html')))
}

rmSync(DIST, { recursive: true, force: true })
compile()
await buildClient()
for (const name of pageNames()) await buildPage(name)
if (existsSync(join(CHATDEMO, 'chat.ts'))) await buildChatdemo()
for (const name of ['src/cli.js', 'client/commands/msgdump.js', 'client/commands/msgsend.js']) {
  const program = join(DIST, name)
  if (existsSync(program)) chmodSync(program, 0o755)
}
