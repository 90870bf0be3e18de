// Reads a configuration file, YAML 1.2 or JSON, into checked settings. It may come from anywhere, so it is bounded before
// a tree is built of it. Which of several given values wins is decided in load.ts.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { CST, Lexer, LineCounter, Parser, parseDocument } from 'yaml'
import { ConfigError, quote } from './config-error.ts'
import { checkValue, findOption, type Setting, unknownOption } from './flags.ts'
import { Given } from './given.ts'
import { type Option, OPTIONS, type OptionKey } from './schema.ts'

const MAX_FILE_BYTES = 1024 * 1024
const MAX_ALIASES = 50
// A reader of YAML needs seconds for a MiB of nothing but commas or brackets; a file for people has a few hundred.
const MAX_TOKENS = 20_000
const MAX_DEPTH = 16

/**
 * Reads a file of options, at most 1 MiB of it. A file of nothing but comments holds no options.
 * @param path As the user wrote it; it is part of every place named in an error.
 * @throws {ConfigError} for the first fault found, with its line and column; at place `command line` for a file that
 *   cannot be read at all.
 */
export function readConfigFile(path: string): Setting[] {
  const text = readText(path)
  const lines = new LineCounter()
  for (let start = 0; start >= 0; start = next(text, start)) lines.addNewLine(start)
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
  checkTokens(text, at)
  // Duplicates are refused below: the check of the library compares each key with all others.
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    uniqueKeys: false,
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: 'error',
  })
  const [fault] = [...document.errors, ...document.warnings]
  if (fault !== undefined) throw syntaxFault(fault.code, at(fault.pos[0]))
  const { version } = document.directives.yaml
  if (version !== '1.2') throw new ConfigError(at(0), 'config', 'YAML 1.2', `YAML ${version}`)
  return readOptions(new Given({ document, placeOf: at }, 'config', document.contents, at(0)))
}

function next(text: string, start: number): number {
  const end = text.indexOf('\n', start)
  return end < 0 ? -1 : end + 1
}

function readText(path: string): string {
  const refuse = (expected: string, found: string, options?: ErrorOptions) =>
    new ConfigError('command line', 'config', expected, found, options)
  let fd: number
  try {
    // Not blocking: to open a FIFO would wait for its writer.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw refuse(`a file that can be read (${(cause as NodeJS.ErrnoException).code ?? ''})`, quote(path), {
      cause,
    })
  }
  try {
    const stats = fstatSync(fd)
    if (!stats.isFile()) throw refuse('a regular file', quote(path))
    if (stats.size > MAX_FILE_BYTES) {
      throw refuse(`a file of at most ${MAX_FILE_BYTES} bytes`, `${stats.size} bytes`)
    }
    // One byte more than allowed, because files of the kernel say they are empty and others may grow.
    const bytes = Buffer.alloc(MAX_FILE_BYTES + 1)
    let length = 0
    for (let count = -1; count !== 0 && length < bytes.length; length += count) {
      count = readSync(fd, bytes, length, bytes.length - length, null)
    }
    if (length > MAX_FILE_BYTES) throw refuse(`a file of at most ${MAX_FILE_BYTES} bytes`, 'more')
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length))
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    const { code = '' } = cause as NodeJS.ErrnoException
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw refuse('UTF-8 text', 'other bytes', { cause })
    throw refuse(`a file that can be read (${code})`, quote(path), { cause })
  } finally {
    closeSync(fd)
  }
}

type At = (offset: number) => string

// Ends before a tree is built of it: an alias may stand for much, each token costs, and a tree is walked recursively,
// which at some thousand levels ends the process instead of throwing (Node 20: no memory left to compile a RegExp).
function checkTokens(text: string, at: At): void {
  const parser = new Parser()
  let tokenCount = 0
  let aliasCount = 0
  const refuseIf = (isTooMuch: boolean, expected: string) => {
    if (isTooMuch) throw new ConfigError(at(parser.offset), 'config', expected, 'one more')
  }
  for (const token of new Lexer().lex(text)) {
    if (CST.tokenType(token) === 'alias') {
      refuseIf(++aliasCount > MAX_ALIASES, `at most ${MAX_ALIASES} aliases`)
    }
    refuseIf(++tokenCount > MAX_TOKENS, `at most ${MAX_TOKENS} words and marks`)
    Array.from(parser.next(token))
    refuseIf(parser.stack.length > MAX_DEPTH, `at most ${MAX_DEPTH} levels`)
  }
}

const SYNTAX: Readonly<Partial<Record<string, readonly [expected: string, found: string]>>> = {
  BAD_INDENT: ['the right indentation or a closing bracket', 'neither'],
  BLOCK_AS_IMPLICIT_KEY: ['one value (quoted if it holds a colon)', 'a mapping in the same line'],
  MULTIPLE_DOCS: ['one document', 'a second one'],
  TAB_AS_INDENT: ['blanks as indentation', 'a tab'],
  TAG_RESOLVE_FAILED: ['no tags of its own', 'a tag'],
}

// The library's own words quote the file, and so perhaps the password: neither its message nor it as a cause.
function syntaxFault(code: string, place: string): ConfigError {
  const [expected, found] = SYNTAX[code] ?? ['YAML 1.2 or JSON', `something else (${code})`]
  return new ConfigError(place, 'config', expected, found)
}

function readOptions(root: Given): Setting[] {
  // A file of comments only, or with nothing behind its `---`.
  if (root.isSingle && root.value === undefined) return []
  const placeOf = new Map<OptionKey, string>()
  return root.fields('a mapping of options to values').flatMap(({ key, keyPlace, read }) => {
    if (key === undefined) throw new ConfigError(keyPlace, 'config', 'the name of an option', 'another key')
    const option = findOption(key)
    if (option === undefined) throw unknownOption(keyPlace, key)
    const { name, isList, isCommandLineOnly, fileSchema, schema }: Option = OPTIONS[option]
    const earlier = placeOf.get(option)
    if (earlier !== undefined) {
      throw new ConfigError(keyPlace, name, 'each option once', `it already at ${earlier}`)
    }
    if (isCommandLineOnly) {
      throw new ConfigError(keyPlace, name, 'an option that a file may hold', 'one for the command line only')
    }
    placeOf.set(option, keyPlace)
    const given = read(name)
    return (isList ? given.items('a list') : [given]).map(one => {
      const value = one.isSingle ? one.value : one
      return checkValue(option, one.place, value, one.found, fileSchema ?? schema)
    })
  })
}
