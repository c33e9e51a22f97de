import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CniError } from './error.ts'
import { parseNetworkList } from './network-list.ts'

const list = (more: object): string =>
  JSON.stringify({ name: 'net', cniVersion: '1.0.0', plugins: [{ type: 'x' }], ...more })

describe('parseNetworkList', () => {
  it('reads a list, and keeps what it does not know in the plugins', () => {
    const parsed = parseNetworkList(
      list({
        plugins: [{ type: 'bridge', capabilities: { ips: true }, odd: 12345678901234567890n.toString() }],
      }),
    )
    expect(parsed).toEqual({
      cniVersion: '1.0.0',
      name: 'net',
      disableCheck: false,
      disableGc: false,
      loadOnlyInlinedPlugins: false,
      plugins: [{ type: 'bridge', capabilities: { ips: true }, odd: '12345678901234567890' }],
    })
  })

  it('takes the highest version that both sides have', () => {
    const both = { cniVersion: '0.4.0', cniVersions: ['1.0.0', '1.1.0', '9.0.0'] }
    expect(parseNetworkList(list(both)).cniVersion).toBe('1.1.0')
    expect(parseNetworkList(list(both), { versions: ['0.4.0', '1.0.0'] }).cniVersion).toBe('1.0.0')
    expect(() => parseNetworkList(list({ cniVersion: '9.0.0' }))).toThrow('none of 9.0.0 is served')
  })

  it('takes switches as booleans and as words', () => {
    expect(parseNetworkList(list({ disableCheck: 'TRUE', disableGC: true })).disableCheck).toBe(true)
    expect(parseNetworkList(list({ disableCheck: 'false' })).disableCheck).toBe(false)
    expect(() => parseNetworkList(list({ disableGC: 'no' }))).toThrow(
      'disableGC: expected true or false, found "no"',
    )
  })

  it('appends plugins from elsewhere, unless it says not to', () => {
    const aggregated = [{ type: 'more' }]
    expect(parseNetworkList(list({}), { aggregated }).plugins).toHaveLength(2)
    expect(parseNetworkList(list({ loadOnlyInlinedPlugins: true }), { aggregated }).plugins).toHaveLength(1)
    const none = JSON.stringify({ name: 'net', cniVersion: '1.0.0', loadOnlyInlinedPlugins: true })
    expect(() => parseNetworkList(none, { aggregated })).toThrow('no plugin would run')
  })

  it.each<[string, string]>([
    [
      '{\n  "name": "net",\n  "cniVersion": "1.0.0",\n  "plugins": [\n    {"type": "a"},\n    {"typo": "b"}\n  ]\n}',
      'net.conflist: line 6, column 5: plugins[1].type: expected a text; it is missing',
    ],
    [
      '{"name": "a/b", "cniVersion": "1.0.0", "plugins": [{"type": "x"}]}',
      'net.conflist: line 1, column 10: name: name "a/b": must start',
    ],
    ['{"name": "n", "cniVersion": "1.0.0", "plugins": []}', 'plugins: expected at least one plugin'],
    [
      '{"name": "n", "cniVersion": 1, "plugins": [{"type": "x"}]}',
      'column 29: cniVersion: expected a version like 1.0.0, found 1',
    ],
    ['{"name": "n", "type": "bridge"}', 'this is the configuration of one plugin'],
    [
      '{"name": "n", "plugins": [{"type": "../x"}]}',
      'plugins[0].type: type "../x": must be the name of an executable',
    ],
    ['{"name": "n", "plugins": [{"type": "x", "ipam": {"type": "a/b"}}]}', 'plugins[0].ipam.type'],
    [
      '{"name": "n", "plugins": [{"type": "x", "capabilities": {"a": 1}}]}',
      'plugins[0].capabilities.a: expected true or false',
    ],
    ['[]', 'the list: expected an object, found []'],
  ])('refuses %s', (text, message) => {
    expect(() => parseNetworkList(text, { what: 'net.conflist' })).toThrow(message)
  })

  it('reads or refuses with a CNI error, whatever it is given', () => {
    const keys = fc.constantFrom(
      'name',
      'cniVersion',
      'cniVersions',
      'plugins',
      'disableCheck',
      'type',
      'loadOnlyInlinedPlugins',
    )
    const document = fc.dictionary(
      keys,
      fc.oneof(fc.jsonValue(), fc.constant([{ type: 'x' }]), fc.constant('1.0.0')),
    )
    fc.assert(
      fc.property(document, (value) => {
        try {
          parseNetworkList(JSON.stringify(value))
        } catch (error) {
          expect(error).toBeInstanceOf(CniError)
        }
      }),
    )
  })
})
