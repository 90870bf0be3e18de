// @ts-check
// The one gate: format, lint, types, build, tests. Runs all of them even if one fails, and ends with the closing line
// of the tests, in which a step that failed counts as a failure. It installs no packages. Under CI=true, a skipped
// test fails it too.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const BIN = join(ROOT, 'node_modules', '.bin')
const CLOSING_LINE = /^(\d+) passed, (\d+) failed, (\d+) skipped$/

const STEPS = [
  { name: 'format', program: join(BIN, 'prettier'), args: ['--check', '.'] },
  { name: 'lint', program: join(BIN, 'eslint'), args: ['.', '--max-warnings', '0'] },
  { name: 'types', program: join(BIN, 'tsc'), args: ['--noEmit', '--project', 'tsconfig.json'] },
  {
    name: 'browser types',
    program: join(BIN, 'tsc'),
    args: ['--noEmit', '--project', 'tsconfig.browser.json'],
  },
  {
    name: 'script types',
    program: join(BIN, 'tsc'),
    args: ['--noEmit', '--project', 'scripts/tsconfig.json'],
  },
  { name: 'build and tests', program: 'npm', args: ['test'] },
  { name: 'client size', program: process.execPath, args: [join('scripts', 'client-size.js')] },
]

/**
 * Runs a program, shows what it prints, and returns how it ended and the last line of its stdout.
 * @param {string} program
 * @param {readonly string[]} args
 */
async function run(program, args) {
  const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.setEncoding('utf8')
  let tail = ''
  child.stdout.on('data', (/** @type {string} */ text) => {
    process.stdout.write(text)
    tail = `${tail}${text}`.slice(-1000)
  })
  try {
    await once(child, 'close')
  } catch (error) {
    process.stderr.write(`Cannot run "${program}": ${String(error)}\n`)
  }
  return { isGood: child.exitCode === 0, lastLine: tail.trimEnd().split('\n').at(-1) ?? '' }
}

/** @type {string[]} */
const failedSteps = []
let counts = { passed: 0, failed: 0, skipped: 0 }
for (const { name, program, args } of STEPS) {
  process.stdout.write(`== ${name}\n`)
  const { isGood, lastLine } = await run(program, args)
  const [, passed = 0, failed = 0, skipped = 0] = (CLOSING_LINE.exec(lastLine) ?? []).map(Number)
  counts = {
    passed: counts.passed + passed,
    failed: counts.failed + failed,
    skipped: counts.skipped + skipped,
  }
  // Tests that failed are counted already.
  if (!isGood && failed === 0) failedSteps.push(name)
}
if (process.env['CI'] === 'true' && counts.skipped > 0) failedSteps.push('nothing skipped')
if (failedSteps.length > 0) process.stdout.write(`Failed: ${failedSteps.join(', ')}\n`)
const failedCount = counts.failed + failedSteps.length
if (failedCount > 0 || counts.passed === 0) process.exitCode = 1
process.stdout.write(`${counts.passed} passed, ${failedCount} failed, ${counts.skipped} skipped\n`)
