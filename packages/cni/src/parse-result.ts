import {
  type IfAddress,
  isV4,
  type Prefix,
  parseIfAddress,
  parseIp,
  parseIpv4,
  parseIpv6,
  parseMac,
  prefixOf,
} from '@podfabric/netaddr'
import type { Json } from './json.ts'
import { defined, JsonReader, wrongValue } from './json-reader.ts'
import { keyPath } from './parse-json.ts'
import type { AddResult, ResultDns, ResultInterface, ResultIp, ResultRoute } from './result.ts'
import { type CniVersion, isAtLeast, parseCniVersion } from './version.ts'

export interface ParseResultOptions {
  /** The version of a result that does not name its own: that of the configuration. */
  readonly version: CniVersion
  /** Where the result stands, for messages. Default: it is the document. */
  readonly path?: string
}

export interface ParsedResult {
  readonly result: AddResult
  /** The version that the result was written in. */
  readonly version: CniVersion
}

/**
 * A result of any version as the internal model (SPEC 1.1.0, "ADD Success", and the older versions' own). Keys that the
 * specification does not know are kept in `extra`; keys that only a newer version than the result's knows are dropped.
 * An `interface` of -1, or without `interfaces`, counts as absent, as old plugins meant it.
 * Throws CNI_DECODING_FAILURE naming the key, CNI_INCOMPATIBLE_VERSION.
 */
export function parseResult(value: Json | undefined, options: ParseResultOptions): ParsedResult {
  const { path = '' } = options
  const reader = new JsonReader(value, path)
  const own = reader.text('cniVersion')
  const version = own === undefined ? options.version : parseCniVersion(own)
  const result = isAtLeast(version, '0.3.0') ? parseModern(reader, version, path) : parseLegacy(reader)
  return { result, version }
}

function parseModern(reader: JsonReader, version: CniVersion, path: string): AddResult {
  const interfaces = reader.objects('interfaces')
  const parsedInterfaces = (interfaces ?? []).map((each) => parseInterface(each, version))
  const ips = (reader.objects('ips') ?? []).map((each, index) =>
    parseIpEntry(each, version, parsedInterfaces.length, keyPath(keyPath(path, 'ips'), index)),
  )
  const routes = (reader.objects('routes') ?? []).map((each) => parseRoute(each, version))
  const dns = parseDns(reader)
  return { interfaces: parsedInterfaces, ips, routes, ...defined({ dns }), ...reader.rest() }
}

function parseInterface(reader: JsonReader, version: CniVersion): ResultInterface {
  const name = reader.required('name', reader.text('name'), 'the name of an interface')
  const hardware = reader.text('mac')
  const mac = hardware !== undefined && sixOctets.test(hardware) ? parseMac(hardware) : undefined
  const sandbox = reader.text('sandbox')
  const newer = isAtLeast(version, '1.1.0')
    ? defined({
        mtu: reader.integer('mtu'),
        socketPath: reader.text('socketPath'),
        pciId: reader.text('pciID'),
      })
    : reader.skip('mtu', 'socketPath', 'pciID')
  const { extra } = reader.rest()
  const kept = hardware !== undefined && mac === undefined ? { ...extra, mac: hardware } : extra
  return { name, ...defined({ mac, sandbox }), ...newer, ...defined({ extra: kept }) }
}

const sixOctets = /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i

function parseIpEntry(reader: JsonReader, version: CniVersion, interfaces: number, path: string): ResultIp {
  const address = reader.required('address', reader.parsed('address', parseIfAddress), ifAddressExpected)
  const gateway = reader.parsed('gateway', parseIp)
  const index = reader.integer('interface', -1)
  if (!isAtLeast(version, '1.0.0')) reader.skip('version')
  if (index !== undefined && interfaces > 0 && index >= interfaces) {
    throw wrongValue(keyPath(path, 'interface'), `an index below ${interfaces}, into interfaces`, index)
  }
  const known = index === -1 || interfaces === 0 ? undefined : index
  return { address, ...defined({ gateway, interface: known }), ...reader.rest() }
}

const ifAddressExpected = 'an address with its prefix length like 10.244.1.2/24'

function parseRoute(reader: JsonReader, version: CniVersion): ResultRoute {
  const destination = reader.required(
    'dst',
    reader.parsed('dst', parseNetwork),
    'a prefix like 10.244.0.0/16',
  )
  const gateway = reader.parsed('gw', parseIp)
  const newer = isAtLeast(version, '1.1.0')
    ? defined({
        mtu: reader.integer('mtu'),
        advmss: reader.integer('advmss'),
        priority: reader.integer('priority'),
        table: reader.integer('table'),
        scope: reader.integer('scope'),
      })
    : reader.skip('mtu', 'advmss', 'priority', 'table', 'scope')
  return { destination, ...defined({ gateway }), ...newer, ...reader.rest() }
}

/** As the specification's library reads it: host bits are allowed, and mean the network. */
function parseNetwork(text: string): Prefix {
  return prefixOf(parseIfAddress(text))
}

function parseDns(reader: JsonReader): ResultDns | undefined {
  const dns = reader.object('dns')
  if (dns === undefined) return undefined
  const parsed: ResultDns = {
    ...defined({
      nameservers: dns.texts('nameservers'),
      domain: dns.text('domain'),
      search: dns.texts('search'),
      options: dns.texts('options'),
    }),
    ...dns.rest(),
  }
  return Object.keys(parsed).length === 0 ? undefined : parsed
}

/** 0.1.0 and 0.2.0: one address of each family, each with its own routes. */
function parseLegacy(reader: JsonReader): AddResult {
  const families = [reader.object('ip4'), reader.object('ip6')]
  const parsed = families.flatMap((family, index) =>
    family === undefined ? [] : [parseFamily(family, index === 0 ? 4 : 6)],
  )
  const dns = parseDns(reader)
  return {
    interfaces: [],
    ips: parsed.map(({ ip }) => ip),
    routes: parsed.flatMap(({ routes }) => routes),
    ...defined({ dns }),
    ...reader.rest(),
  }
}

function parseFamily(
  reader: JsonReader,
  family: 4 | 6,
): { readonly ip: ResultIp; readonly routes: readonly ResultRoute[] } {
  const address = reader.required(
    'ip',
    reader.parsed('ip', (text) => parseOfFamily(text, family)),
    ifAddressExpected,
  )
  const gateway = reader.parsed('gateway', parseIp)
  const routes = (reader.objects('routes') ?? []).map((each) => parseRoute(each, '0.2.0'))
  return { ip: { address, ...defined({ gateway }), ...reader.rest() }, routes }
}

function parseOfFamily(text: string, family: 4 | 6): IfAddress {
  const address = parseIfAddress(text)
  const slash = text.lastIndexOf('/')
  const parse = family === 4 ? parseIpv4 : parseIpv6
  // Parsed again for the error that names the family.
  if (isV4(parseIp(text.slice(0, slash))) !== (family === 4)) parse(text.slice(0, slash))
  return address
}
