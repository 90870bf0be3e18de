// One value in a configuration file, with its place: a single one, a list, or a mapping of more of them. What it may be is
// for its reader to say.

import { type Document, isAlias, isMap, isScalar, isSeq, type Node } from 'yaml'
import * as v from 'valibot'
import { ConfigError, quote } from './config-error.ts'
import type { Schema } from './values.ts'

/** A file that has been parsed. */
export interface Source {
  readonly document: Document.Parsed
  /** Name of the file, line and column of what stands at this offset. */
  placeOf(offset: number): string
}

/** What stands behind a key. */
interface Field {
  /** Undefined for what is no text. */
  readonly key: string | undefined
  readonly keyPlace: string
  /** @throws {ConfigError} for an alias of nothing. */
  readonly read: (option: string) => Given
}

export class Given {
  /** As in {@link ConfigError}. */
  readonly option: string
  /** As in {@link ConfigError}; that of its key if there is nothing behind it. */
  readonly place: string
  readonly #source: Source
  readonly #node: Node | null

  /**
   * @param emptyPlace Where to point if there is nothing.
   * @throws {ConfigError} for an alias of nothing.
   */
  constructor(source: Source, option: string, node: Node | null, emptyPlace: string) {
    const place = node?.range == null ? emptyPlace : source.placeOf(node.range[0])
    const target = isAlias(node) ? node.resolve(source.document) : node
    if (target === undefined)
      throw new ConfigError(place, option, 'an alias of something above', 'one of nothing')
    this.option = option
    this.place = isNothing(target) ? emptyPlace : place
    this.#source = source
    this.#node = target
  }

  get isSingle(): boolean {
    return isNothing(this.#node) || isScalar(this.#node)
  }

  /**
   * A single value. A number is one only if it is written the one way that nobody reads otherwise, not as 080, 1e3, 0x10 or
   * 1.0: those are `NaN`. Undefined for nothing, for a list and for a mapping.
   */
  get value(): unknown {
    const node = this.#node
    if (!isScalar(node) || node.value === null) return undefined
    const isOdd = typeof node.value === 'number' && String(node.value) !== node.source
    return isOdd ? NaN : node.value
  }

  /** How an error is to show it. */
  get found(): string {
    const node = this.#node
    if (isNothing(node)) return 'nothing'
    if (isMap(node)) return 'a mapping'
    if (isSeq(node)) return 'a list'
    if (!isScalar(node)) return 'something else'
    return typeof node.value === 'string' ? quote(node.value) : (node.source ?? 'something else').slice(0, 60)
  }

  refusal(expected: string, found = this.found): ConfigError {
    return new ConfigError(this.place, this.option, expected, found)
  }

  /** @throws {ConfigError} for a value that the schema refuses. */
  check<Value>(schema: Schema<Value>): Value {
    const result = v.safeParse(schema, this.isSingle ? this.value : this)
    if (result.success) return result.output
    throw this.refusal(result.issues[0].message)
  }

  /**
   * The elements of a list.
   * @throws {ConfigError} for something else.
   */
  items(expected: string): readonly Given[] {
    const node = this.#node
    if (!isSeq(node)) throw this.refusal(expected)
    return node.items.map(item => new Given(this.#source, this.option, item as Node, this.place))
  }

  /**
   * What a mapping holds, in its order, a key as often as it stands there.
   * @throws {ConfigError} for something else.
   */
  fields(expected: string): readonly Field[] {
    const node = this.#node
    // What stands where a mapping should may be a whole line, and the password's.
    if (isScalar(node) && node.value !== null) throw this.refusal(expected, 'a single value')
    if (!isMap(node)) throw this.refusal(expected)
    return node.items.map(pair => {
      const keyNode = pair.key as Node
      const keyPlace = this.#source.placeOf(keyNode.range?.[0] ?? 0)
      return {
        key: isScalar(keyNode) && typeof keyNode.value === 'string' ? keyNode.value : undefined,
        keyPlace,
        read: option => new Given(this.#source, option, pair.value as Node | null, keyPlace),
      }
    })
  }

  /**
   * What a mapping holds, by key.
   * @param keys All that there may be; by default any text.
   * @throws {ConfigError} for something else, another key, or one that stands there twice.
   */
  record(expected: string, keys?: readonly string[]): ReadonlyMap<string, Given> {
    const record = new Map<string, Given>()
    const placeOf = new Map<string, string>()
    for (const { key, keyPlace, read } of this.fields(expected)) {
      if (key === undefined || keys?.includes(key) === false) {
        const found = key === undefined ? 'another key' : quote(key)
        throw new ConfigError(keyPlace, this.option, `only ${keys?.join(', ') ?? 'texts'} as keys`, found)
      }
      const option = `${this.option}.${key}`
      const earlier = placeOf.get(key)
      if (earlier !== undefined) {
        throw new ConfigError(keyPlace, option, 'each key once', `it already at ${earlier}`)
      }
      placeOf.set(key, keyPlace)
      record.set(key, read(option))
    }
    return record
  }
}

function isNothing(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null)
}

/** A value of more than one part, which only a file can hold. */
export function structure<Value>(expected: string, read: (given: Given) => Value): Schema<Value> {
  return v.pipe(v.instance(Given, expected), v.transform(read))
}
