// Makes the configuration of command line, environment, file and defaults, in this order of precedence, and the list of
// listeners that follows from it. Opens no socket and changes nothing: whoever calls it decides what to do with an error
// (exit 78, before anything is opened).

import { isIP, SocketAddress } from 'node:net'
import { ConfigError, quote } from './config-error.ts'
import { readConfigFile } from './file.ts'
import { checkValue, ROWS, readFlags, type Setting } from './flags.ts'
import { helpText } from './help.ts'
import { DEFAULT_STORE, type LocationRequest, type UncheckedLocation } from './locations.ts'
import type { NamedStores } from './named-stores.ts'
import { type Config, type Listener, type Option, OPTIONS, type OptionKey } from './schema.ts'
import type { RetainRequest, StoreRequest } from './store-url.ts'
import type { ListenRequest } from './values.ts'

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
    for (const [key, settings] of groupByKey(layer)) {
      const { isByName }: Option = OPTIONS[key]
      given.set(key, isByName ? [...(given.get(key) ?? []), ...settings] : settings)
    }
  }
  return { kind: 'run', config: toConfig(given) }
}

/** The configuration of a program that is told nothing. */
export function defaultConfig(): Config {
  return toConfig(groupByKey(defaults()))
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

type Given = ReadonlyMap<OptionKey, readonly Setting[]>
type Values = Omit<Config, 'listeners' | 'store' | 'stores' | 'locations'>

const NOT_TAKEN_OVER: readonly OptionKey[] = ['help', 'version', 'listen', 'store', 'locations']

function toConfig(given: Given): Config {
  const entries = ROWS.filter(([key]) => !NOT_TAKEN_OVER.includes(key)).map(([key, row]) => {
    const values = (given.get(key) ?? []).map(({ value }) => value)
    return [key, row.isList ? values : (values.at(-1) ?? null)] as const
  })
  // Each value has come out of the schema of its row, which is what the type is made of.
  const values = Object.fromEntries(entries) as unknown as Values
  checkRetain(given.get('retain') ?? [])
  const [store, stores] = toStores(given.get('store') ?? [])
  const locations = toLocations(given.get('locations')?.at(-1), stores)
  return { ...values, listeners: toListeners(values, given), store, stores, locations }
}

function checkRetain(settings: readonly Setting[]): void {
  const known = new Set<string>()
  for (const { place, value } of settings) {
    for (const path of (value as RetainRequest).paths) {
      if (known.has(path)) {
        throw new ConfigError(
          place,
          OPTIONS.retain.name,
          'one rule for each pattern',
          `a second one for ${quote(path)}`,
        )
      }
      known.add(path)
    }
  }
}

function toStores(
  settings: readonly Setting[],
): readonly [main: StoreRequest, others: ReadonlyMap<string, StoreRequest>] {
  const stores = new Map(settings.flatMap(({ value }) => [...(value as NamedStores)]))
  const main = stores.get(DEFAULT_STORE)
  if (main === undefined) throw new TypeError('Cannot choose the store: the table has no default')
  const nameOf = new Map<string, string>()
  for (const [name, request] of stores) {
    if (request.kind !== 'file') continue
    const other = nameOf.get(request.path)
    nameOf.set(request.path, name)
    if (other === undefined) continue
    const found = `${quote(request.path)} for ${quote(other)} and ${quote(name)}`
    throw new ConfigError(
      settings.at(-1)?.place ?? '',
      OPTIONS.store.name,
      'a directory for each store',
      found,
    )
  }
  stores.delete(DEFAULT_STORE)
  return [main, stores]
}

function toLocations(
  setting: Setting | undefined,
  stores: ReadonlyMap<string, StoreRequest>,
): readonly LocationRequest[] | null {
  if (setting === undefined) return null
  return (setting.value as readonly UncheckedLocation[]).map(({ location, given }) => {
    if (location.store === DEFAULT_STORE || stores.has(location.store)) return location
    throw given.refusal(`the name of a store (${[DEFAULT_STORE, ...stores.keys()].join(', ')})`)
  })
}

function toListeners(values: Values, given: Given): Listener[] {
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
