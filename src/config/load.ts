// Makes the configuration of command line, environment, file and defaults, in this order of precedence. Opens no
// socket and changes nothing: whoever calls it decides what to do with an error (exit 78, before anything is opened).

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { isIP, SocketAddress } from 'node:net'
import {
  CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type ParsedNode,
  Parser,
  parseDocument,
} from 'yaml'
import { checkValue, findOption, quote, readFlags, ROWS, type Setting, unknownOption } from './flags.ts'
import { helpText } from './help.ts'
import {
  type Config,
  ConfigError,
  type Listener,
  type ListenRequest,
  type Option,
  OPTIONS,
  type OptionKey,
} from './schema.ts'

const MAX_FILE_BYTES = 1024 * 1024
const MAX_ALIASES = 50
// A reader of YAML needs seconds for a MiB of nothing but commas or brackets; a file for people has a few hundred.
const MAX_TOKENS = 20_000
const MAX_DEPTH = 16

/** What a command line asks for. */
export type Outcome =
  | { readonly kind: 'run'; readonly config: Config }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }

/**
 * Reads the configuration, and the file that `--config` names, at most 1 MiB of it.
 * @param argv The arguments behind the program's name.
 * @param env Only the variables named in the table are looked at. An empty one is a value, too: a password that was
 *   lost on its way must not open the bus to everyone.
 * @throws {ConfigError} for the first fault found.
 */
export function loadConfig(argv: readonly string[], env: NodeJS.ProcessEnv): Outcome {
  const flags = readFlags(argv)
  if (flags.kind === 'help') return { kind: 'help', text: helpText() }
  if (flags.kind === 'version') return flags
  const path = flags.settings.findLast(({ key }) => key === 'configFile')?.value
  const fromFile = typeof path === 'string' ? readConfigFile(path) : []
  const given = new Map<OptionKey, readonly Setting[]>()
  for (const layer of [defaults(), fromFile, fromEnvironment(env), flags.settings]) {
    for (const [key, settings] of groupByKey(layer)) given.set(key, settings)
  }
  return { kind: 'run', config: toConfig(given) }
}

function groupByKey(settings: readonly Setting[]): Map<OptionKey, Setting[]> {
  const groups = new Map<OptionKey, Setting[]>()
  for (const setting of settings) {
    const group = groups.get(setting.key)
    if (group === undefined) groups.set(setting.key, [setting])
    else group.push(setting)
  }
  return groups
}

function defaults(): Setting[] {
  return ROWS.flatMap(([key, row]) =>
    row.default === undefined ? [] : [checkValue(key, 'default', row.default, quote(row.default))],
  )
}

function fromEnvironment(env: NodeJS.ProcessEnv): Setting[] {
  return ROWS.flatMap(([key, { variable }]) => {
    const value = variable === undefined ? undefined : env[variable]
    return value === undefined ? [] : [checkValue(key, 'environment', value, quote(value))]
  })
}

function readConfigFile(path: string): Setting[] {
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
  return readMapping(document, at)
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
    if (CST.tokenType(token) === 'alias')
      refuseIf(++aliasCount > MAX_ALIASES, `at most ${MAX_ALIASES} aliases`)
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

function readMapping(document: Document.Parsed, at: At): Setting[] {
  const root = document.contents
  // A file of comments only, or with nothing behind its `---`.
  if (root === null || isNothing(root)) return []
  if (!isMap(root)) {
    throw new ConfigError(at(root.range[0]), 'config', 'a mapping of options to values', nameShape(root))
  }
  const placeOf = new Map<OptionKey, string>()
  return root.items.flatMap(({ key, value }) => {
    const place = at(key.range[0])
    if (!isScalar(key) || typeof key.value !== 'string') {
      throw new ConfigError(place, 'config', 'the name of an option', 'another key')
    }
    const option = findOption(key.value)
    if (option === undefined) throw unknownOption(place, key.value)
    const { name, isList, isCommandLineOnly }: Option = OPTIONS[option]
    const earlier = placeOf.get(option)
    if (earlier !== undefined)
      throw new ConfigError(place, name, 'each option once', `it already at ${earlier}`)
    if (isCommandLineOnly) {
      throw new ConfigError(place, name, 'an option that a file may hold', 'one for the command line only')
    }
    placeOf.set(option, place)
    const node = value === null ? null : followAlias(value, name, document, at)
    const valuePlace = value === null || isNothing(node) ? place : at(value.range[0])
    if (!isList) return [checkNode(option, valuePlace, node)]
    if (!isSeq(node)) throw new ConfigError(valuePlace, name, 'a list', showNode(node))
    return (node.items as ParsedNode[]).map(item =>
      checkNode(option, at(item.range[0]), followAlias(item, name, document, at)),
    )
  })
}

function followAlias(node: ParsedNode, name: string, document: Document.Parsed, at: At): Node {
  if (!isAlias(node)) return node
  const target = node.resolve(document)
  if (target !== undefined) return target
  throw new ConfigError(at(node.range[0]), name, 'an alias of something above', 'one of nothing')
}

function checkNode(key: OptionKey, place: string, node: Node | null): Setting {
  if (isNothing(node)) return checkValue(key, place, undefined, 'nothing')
  if (!isScalar(node)) return checkValue(key, place, node, showNode(node))
  // A number only if it is written the one way that nobody reads otherwise: not 080, 1e3, 0x10 or 1.0.
  const isOdd = typeof node.value === 'number' && String(node.value) !== node.source
  return checkValue(key, place, isOdd ? NaN : node.value, showNode(node))
}

function isNothing(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null)
}

function showNode(node: Node | null): string {
  if (isNothing(node)) return 'nothing'
  if (!isScalar(node)) return nameShape(node)
  return typeof node.value === 'string' ? quote(node.value) : (node.source ?? 'something else').slice(0, 60)
}

function nameShape(node: Node | null): string {
  return isMap(node) ? 'a mapping' : isSeq(node) ? 'a list' : 'a single value'
}

type Values = Omit<Config, 'listeners'>

function toConfig(given: ReadonlyMap<OptionKey, readonly Setting[]>): Config {
  const entries = ROWS.filter(([key]) => !['help', 'version', 'listen'].includes(key)).map(([key, row]) => {
    const values = (given.get(key) ?? []).map(({ value }) => value)
    return [key, row.isList ? values : (values.at(-1) ?? null)] as const
  })
  // Each value has come out of the schema of its row, which is what the type is made of.
  const values = Object.fromEntries(entries) as unknown as Values
  return { ...values, listeners: toListeners(values, given) }
}

function toListeners(values: Values, given: ReadonlyMap<OptionKey, readonly Setting[]>): Listener[] {
  const { address, port, tlsPort, certFile } = values
  const placeOf = (key: OptionKey) => given.get(key)?.at(-1)?.place ?? 'default'
  const requests = given.get('listen') ?? []
  const isOpen = requests.length === 0 || placeOf('port') !== 'default' || placeOf('address') !== 'default'
  const opened: { readonly name: string; readonly place: string; readonly listener: Listener }[] = []
  const open = (key: OptionKey, place: string, listener: Listener) => {
    opened.push({ name: OPTIONS[key].name, place, listener })
  }
  if (isOpen) open('port', placeOf('port'), { address, port, isTls: false, protocol: null })
  if (certFile !== null) {
    open('tlsPort', placeOf('tlsPort'), { address, port: tlsPort, isTls: true, protocol: null })
  }
  for (const { place, value } of requests) {
    const request = value as ListenRequest
    open('listen', place, { ...request, address: request.address ?? address, isTls: false })
  }
  const takenBy = new Map<string, (typeof opened)[number]>()
  for (const current of opened) {
    if (current.listener.port === 0) continue
    const endpoint = nameEndpoint(current.listener)
    const other = takenBy.get(endpoint)
    takenBy.set(endpoint, current)
    if (other === undefined) continue
    // Whoever reads this can change what was given, not a default.
    const [blamed, taker] = current.place === 'default' ? [other, current] : [current, other]
    const found = `${endpoint}, taken by "${taker.name}" (${taker.place})`
    throw new ConfigError(blamed.place, blamed.name, 'an address and port of its own', found)
  }
  return opened.map(({ listener }) => listener)
}

// One spelling per address: ::1 and 0:0:0:0:0:0:0:1 are the same place.
function nameEndpoint({ address, port }: Listener): string {
  if (isIP(address) !== 6) return `${address}:${port}`
  const [bare = '', zone] = address.split('%')
  const canonical = new SocketAddress({ address: bare, family: 'ipv6' }).address
  return `[${canonical}${zone === undefined ? '' : `%${zone}`}]:${port}`
}

/** The configuration of a program that is told nothing. */
export function defaultConfig(): Config {
  return toConfig(groupByKey(defaults()))
}
