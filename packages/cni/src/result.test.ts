import { ifAddressFrom, ipFromBigInt, macFromNumber, prefixOf } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CniError } from './error.ts'
import { formatResult } from './format-result.ts'
import type { Json, JsonObject } from './json.ts'
import { parseResult } from './parse-result.ts'
import type { AddResult, ResultInterface, ResultRoute } from './result.ts'
import { cniVersions, isAtLeast } from './version.ts'

const ip = fc.oneof(
  fc.bigInt(0n, 2n ** 32n - 1n).map((value) => ipFromBigInt(value, 4)),
  fc.bigInt(0n, 2n ** 128n - 1n).map((value) => ipFromBigInt(value, 6)),
)
const address = fc.tuple(ip, fc.nat(32)).map(([each, length]) => ifAddressFrom(each, length))
const uint = fc.nat(2 ** 32 - 1)
const extra = fc.option(fc.constantFrom<JsonObject>({ 'vendor.io/x': [1, { y: null }] }), { nil: undefined })
const word = fc.stringMatching(/^[a-z0-9]{1,10}$/)

function clean<T extends object>(value: Partial<{ [K in keyof T]: T[K] | undefined }>): T {
  // Drops what is undefined, which is how the model says "absent".
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T
}

function optional<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined })
}

const anInterface = fc
  .record({
    name: word,
    mac: optional(fc.nat(2 ** 48 - 1).map(macFromNumber)),
    mtu: optional(uint),
    sandbox: optional(fc.constant('/run/netns/a')),
    socketPath: optional(fc.constant('/run/s')),
    pciId: optional(fc.constant('0000:00:1f.6')),
    extra,
  })
  .map((value) => clean<ResultInterface>(value))

const aRoute = fc
  .record({
    destination: address.map(prefixOf),
    gateway: optional(ip),
    mtu: optional(uint),
    advmss: optional(uint),
    priority: optional(uint),
    table: optional(uint),
    scope: optional(fc.constantFrom(0, 253, 254)),
    extra,
  })
  .map((value) => clean<ResultRoute>(value))

const aResult: fc.Arbitrary<AddResult> = fc
  .record({
    interfaces: fc.array(anInterface, { maxLength: 3 }),
    addresses: fc.array(fc.tuple(address, optional(ip), optional(fc.nat(2))), { maxLength: 4 }),
    routes: fc.array(aRoute, { maxLength: 3 }),
    dns: optional(fc.record({ nameservers: fc.array(word), domain: word, search: fc.array(word) })),
    extra,
  })
  .map(({ interfaces, addresses, routes, dns, extra: more }) =>
    clean<AddResult>({
      interfaces,
      ips: addresses.map(([each, gateway, index]) => ({
        address: each,
        ...(gateway && { gateway }),
        ...(index !== undefined && index < interfaces.length && { interface: index }),
      })),
      routes,
      dns,
      extra: more,
    }),
  )

function reread(result: AddResult, version: (typeof cniVersions)[number]): AddResult {
  const text = JSON.stringify(formatResult(result, version))
  return parseResult(JSON.parse(text) as Json, { version: '0.1.0' }).result
}

/** The keys that only 1.1.0 knows, taken out. */
function withoutNewerKeys(result: AddResult): AddResult {
  return {
    ...result,
    interfaces: result.interfaces.map(({ mtu, socketPath, pciId, ...kept }) => kept),
    routes: result.routes.map(({ mtu, advmss, priority, table, scope, ...kept }) => kept),
  }
}

describe('results of every version', () => {
  it('come back unchanged from 1.1.0', () => {
    fc.assert(
      fc.property(aResult, (result) => {
        expect(reread(result, '1.1.0')).toEqual(result)
      }),
    )
  })

  it.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0'] as const)(
    'come back from %s without the keys that are newer, and with all others',
    (version) => {
      fc.assert(
        fc.property(aResult, (result) => {
          expect(reread(result, version)).toEqual(withoutNewerKeys(result))
        }),
      )
    },
  )

  it.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0'] as const)('leak no newer key into %s', (version) => {
    fc.assert(
      fc.property(aResult, (result) => {
        const keys = new Set<string>()
        JSON.stringify(formatResult(result, version), (key, value: unknown) => {
          keys.add(key)
          return value
        })
        for (const newer of ['mtu', 'socketPath', 'pciID', 'advmss', 'priority', 'table', 'scope']) {
          expect(keys.has(newer)).toBe(false)
        }
      }),
    )
  })

  it.each(['0.1.0', '0.2.0'] as const)('keep the first address of each family in %s', (version) => {
    fc.assert(
      fc.property(aResult, (result) => {
        const families = [/\./, /:/].map((family) => result.ips.find((each) => family.test(each.address)))
        expect(reread(result, version).ips.map((each) => each.address)).toEqual(
          families.flatMap((each) => (each === undefined ? [] : [each.address])),
        )
      }),
    )
  })

  it('always say which version they are', () => {
    for (const version of cniVersions) {
      expect(formatResult({ interfaces: [], ips: [], routes: [] }, version)).toHaveProperty(
        'cniVersion',
        version,
      )
    }
  })

  it('say the family of an address before 1.0.0 only, and by the address, not its notation', () => {
    const result: AddResult = {
      interfaces: [],
      ips: [{ address: ifAddressFrom(ipFromBigInt(0xffff_0a00_0001n, 6), 128) }],
      routes: [],
    }
    for (const version of cniVersions.filter((each) => isAtLeast(each, '0.3.0'))) {
      const [entry] = formatResult(result, version).ips as readonly JsonObject[]
      expect(entry?.version).toBe(isAtLeast(version, '1.0.0') ? undefined : '6')
    }
  })

  it('keep index 0 apart from no index, and take -1 as none', () => {
    const written = { cniVersion: '0.3.1', interfaces: [{ name: 'eth0' }] }
    const read = (index: number) =>
      parseResult(
        { ...written, ips: [{ version: '4', address: '10.0.0.2/24', interface: index }] },
        { version: '0.3.1' },
      ).result.ips[0]
    expect(read(0)).toEqual({ address: '10.0.0.2/24', interface: 0 })
    expect(read(-1)).toEqual({ address: '10.0.0.2/24' })
    expect(() => read(1)).toThrow('ips[0].interface: expected an index below 1')
  })

  it('keep hardware addresses that are no MAC, and null and empty as absent', () => {
    const guid = '00:11:22:33:44:55:66:77'
    const { result } = parseResult(
      { interfaces: [{ name: 'ib0', mac: guid, sandbox: '' }], ips: null, dns: {} },
      { version: '1.0.0' },
    )
    expect(result).toEqual({ interfaces: [{ name: 'ib0', extra: { mac: guid } }], ips: [], routes: [] })
    expect(formatResult(result, '1.0.0')).toHaveProperty(['interfaces', 0, 'mac'], guid)
  })

  it('clear host bits of a route and keep those of an address', () => {
    const { result } = parseResult(
      { ips: [{ address: '10.1.2.3/16' }], routes: [{ dst: '10.1.2.3/16' }] },
      { version: '1.0.0' },
    )
    expect(result.ips[0]?.address).toBe('10.1.2.3/16')
    expect(result.routes[0]?.destination).toBe('10.1.0.0/16')
  })

  it.each<[Json, string]>([
    [[], 'the document: expected an object'],
    [{ ips: [{}] }, 'ips[0].address: expected an address'],
    [{ ips: [{ address: '10.0.0.300/24' }] }, 'ips[0].address: '],
    [{ ips: {} }, 'ips: expected a list of objects; found {}'],
    [{ interfaces: [{ mac: 'x' }] }, 'interfaces[0].name: expected the name'],
    [{ routes: [{ dst: '::/0', mtu: -1 }] }, 'routes[0].mtu: expected a whole number from 0 on; found -1'],
    [{ dns: { search: 'a' } }, 'dns.search: expected a list of texts; found "a"'],
  ])('refuse %j with the key and what was expected', (value, message) => {
    expect(() => parseResult(value, { version: '1.1.0' })).toThrow(message)
  })

  it('are read or refused with a CNI error, whatever the document', () => {
    const keys = fc.constantFrom('cniVersion', 'interfaces', 'ips', 'routes', 'dns', 'ip4', 'ip6')
    const document = fc.dictionary(
      keys,
      fc.oneof(fc.jsonValue(), fc.array(fc.dictionary(word, fc.jsonValue()))),
    )
    fc.assert(
      fc.property(document, fc.constantFrom(...cniVersions), (value, version) => {
        try {
          parseResult(value as Json, { version })
        } catch (error) {
          expect(error).toBeInstanceOf(CniError)
        }
      }),
    )
  })
})
