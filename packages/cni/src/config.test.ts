import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { ifAddressSchema, ipSchema, macSchema, prefixSchema } from './config-schema.ts'
import { CniError, cniErrorNumbers } from './error.ts'
import { formatError, parseError } from './error-object.ts'
import { mergeResults } from './merge-results.ts'
import { parseConfig, refuseKeys } from './parse-config.ts'
import { parseJson } from './parse-json.ts'
import { parsePluginConfig } from './plugin-config.ts'

describe('parseConfig', () => {
  const schema = v.object({
    mtu: v.exactOptional(v.pipe(v.number(), v.maxValue(9000, 'expected at most 9000'))),
    subnets: v.array(prefixSchema),
  })

  it('names the key, what was expected and what is there', () => {
    expect(() => parseConfig(schema, { subnets: ['10.0.0.0/8', 5] })).toThrow(
      'subnets[1]: expected string, found 5',
    )
    expect(() => parseConfig(schema, { subnets: ['10.0.0.1/8'] })).toThrow(
      'subnets[0]: "10.0.0.1/8" is not a prefix',
    )
    expect(() => parseConfig(schema, { mtu: 9001, subnets: [] })).toThrow('mtu: expected at most 9000')
    expect(() => parseConfig(schema, {}, 'ipam')).toThrow('ipam.subnets: it is missing')
    expect(() => parseConfig(schema, parseJson('{"mtu":9007199254740993,"subnets":[]}'))).toThrow(
      'mtu: expected number, found 9007199254740993, which is beyond 2^53',
    )
  })

  it('reads addresses to their canonical form', () => {
    expect(parseConfig(ipSchema, 'FD00:0::1')).toBe('fd00::1')
    expect(parseConfig(ifAddressSchema, '10.0.0.1/8')).toBe('10.0.0.1/8')
    expect(parseConfig(macSchema, 'AA-BB-CC-DD-EE-FF')).toBe('aa:bb:cc:dd:ee:ff')
    for (const each of [ipSchema, prefixSchema, ifAddressSchema, macSchema]) {
      fc.assert(
        fc.property(fc.string(), (text) => {
          try {
            parseConfig(each, text)
          } catch (error) {
            expect(error).toMatchObject({ code: 'CNI_INVALID_NETWORK_CONFIG' })
          }
        }),
      )
    }
  })

  it('refuses keys that ask for what is not there, and only then', () => {
    refuseKeys(
      { vlan: 0, other: false, list: [], nothing: null },
      { vlan: '', other: '', list: '', nothing: '', x: '' },
    )
    expect(() => refuseKeys({ vlan: 5 }, { vlan: 'not yet' })).toThrow('vlan: 5 is not supported: not yet')
  })
})

describe('parsePluginConfig', () => {
  it('keeps every key, and takes an empty ipam as none', () => {
    const config = { cniVersion: '1.1.0', name: 'net', type: 'x', ipam: {}, own: [1], runtimeConfig: null }
    expect(parsePluginConfig(config)).toEqual({ cniVersion: '1.1.0', name: 'net', type: 'x', own: [1] })
  })

  it('takes an ipam without a type as the reader means it, or refuses it', () => {
    const config = { cniVersion: '1.1.0', name: 'net', type: 'x', ipam: { routes: [] } }
    expect(parsePluginConfig(config, { ipamType: 'y' })).toMatchObject({ ipam: { type: 'y', routes: [] } })
    expect(() => parsePluginConfig(config)).toThrow('ipam.type: expected the name of a plugin; it is missing')
    expect(() => parsePluginConfig({ ...config, ipam: { type: 5 } }, { ipamType: 'y' })).toThrow('ipam.type')
  })

  it('reads or refuses with a CNI error, whatever it is given', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          parsePluginConfig(parseJson(JSON.stringify(value)))
        } catch (error) {
          expect(error).toBeInstanceOf(CniError)
        }
      }),
    )
  })
})

describe('errors', () => {
  it('come back as they were printed, with code and number', () => {
    for (const code of Object.keys(cniErrorNumbers) as (keyof typeof cniErrorNumbers)[]) {
      const error = new CniError(code, 'what', { details: 'why' })
      expect(parseError(formatError(error, '1.1.0'))).toMatchObject({ code, message: 'what', details: 'why' })
    }
    expect(parseError({ code: 999, msg: 'x' })).toMatchObject({ code: 'CNI_PLUGIN_FAILED', number: 999 })
  })

  it('are seen only where there is one', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const error = parseError(parseJson(JSON.stringify(value)))
        if (error !== undefined) expect(value).toHaveProperty('msg')
      }),
    )
  })
})

describe('mergeResults', () => {
  it('appends, and lets the indices of the added addresses follow', () => {
    const previous = { interfaces: [{ name: 'a' }], ips: [], routes: [], extra: { x: 1 } }
    const own = {
      interfaces: [{ name: 'b' }],
      ips: [{ address: parseConfig(ifAddressSchema, '10.0.0.2/24'), interface: 0 }],
      routes: [],
    }
    expect(mergeResults(previous, own)).toEqual({
      interfaces: [{ name: 'a' }, { name: 'b' }],
      ips: [{ address: '10.0.0.2/24', interface: 1 }],
      routes: [],
      extra: { x: 1 },
    })
  })
})
