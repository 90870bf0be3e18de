// @ts-check
// What tap prints with us: a line per test file as it finishes, failures in full where they happen, the names of what
// failed or was skipped at the end, and one plain closing line that a program can read. It counts leaf assertions (and
// tests without any); it neither runs tests nor knows how.

import process from 'node:process'
import { Transform } from 'node:stream'
import { Parser } from 'tap-parser'
import { stringify } from 'yaml'

/** @typedef {import('tap-parser').Result} Result */

// tap wants a class with a `write` as the default export: a Writable alone cannot be piped on.
export default class Reporter extends Transform {
  #parser = new Parser()
  #passedCount = 0
  /** @type {string[]} */
  #failures = []
  /** @type {string[]} */
  #skips = []
  /**
   * What had been counted when the current file began.
   * @type {{ name: string, passed: number, failed: number, skipped: number } | null}
   */
  #file = null

  constructor() {
    super({ encoding: 'utf8' })
    this.#parser.on('pass', () => {
      this.#passedCount++
    })
    this.#parser.on('fail', (/** @type {Result} */ result) => {
      this.#fail(result.fullname, result.diag)
    })
    this.#parser.on('skip', (/** @type {Result} */ result) => {
      this.#skip(result, result.skip)
    })
    // A test that is yet to be written is one that did not run.
    this.#parser.on('todo', (/** @type {Result} */ result) => {
      this.#skip(result, result.todo)
    })
    this.#parser.on('bailout', (/** @type {string} */ reason) => {
      this.#fail('bailed out', { reason })
    })
    this.#parser.on('child', (/** @type {Parser} */ { name }) => {
      this.#file = { name, ...this.#counts }
    })
    this.#parser.on('assert', (/** @type {Result} */ result) => {
      this.#endFile(result)
    })
    // What a test wrote to stdout itself.
    this.#parser.on('extra', (/** @type {string} */ text) => this.push(text))
  }

  get #counts() {
    return { passed: this.#passedCount, failed: this.#failures.length, skipped: this.#skips.length }
  }

  /** @param {Result} result */
  #endFile({ name, ok, skip }) {
    const before = this.#file ?? { name, ...this.#counts }
    const counts = [`${this.#passedCount - before.passed} passed`]
    if (this.#failures.length > before.failed) counts.push(`${this.#failures.length - before.failed} failed`)
    if (this.#skips.length > before.skipped) counts.push(`${this.#skips.length - before.skipped} skipped`)
    if (skip) counts.push('skipped as a whole')
    if (!ok) counts.push('NOT OK')
    this.#print(`${before.name}: ${counts.join(', ')}`)
    this.#file = null
  }

  /**
   * @param {string} name
   * @param {unknown} diagnostics
   */
  #fail(name, diagnostics) {
    this.#failures.push(name)
    this.#print(`FAILED ${name}`)
    if (diagnostics) this.#print(stringify(diagnostics, { lineWidth: 0 }).replace(/^(?=.)/gm, '    '))
  }

  /**
   * @param {Result} result
   * @param {string | boolean} reason
   */
  #skip({ fullname }, reason) {
    this.#skips.push(`${fullname}: ${typeof reason === 'string' ? reason : 'no reason given'}`)
  }

  /** @param {string} line */
  #print(line) {
    this.push(`${line}\n`)
  }

  /**
   * @override
   * @param {Buffer} chunk
   * @param {BufferEncoding} _encoding
   * @param {import('node:stream').TransformCallback} callback
   */
  _transform(chunk, _encoding, callback) {
    this.#parser.write(chunk)
    callback()
  }

  /**
   * @override
   * @param {import('node:stream').TransformCallback} callback
   */
  _flush(callback) {
    this.#parser.end()
    const failedCount = this.#failures.length
    // A run that tried nothing proves nothing.
    const isVoid = this.#passedCount + failedCount === 0
    if (failedCount > 0 || isVoid || !this.#parser.ok) process.exitCode = 1
    for (const name of this.#failures) this.#print(`failed: ${name}`)
    for (const name of this.#skips) this.#print(`skipped: ${name}`)
    if (isVoid) this.#print('No test ran')
    this.#print(`${this.#passedCount} passed, ${failedCount} failed, ${this.#skips.length} skipped`)
    callback()
  }
}
