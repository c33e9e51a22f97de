import { pluginContract } from '@podfabric/cni/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import portmap, { parsePortmapConfig } from './index.ts'

const parse = (keys: object) =>
  parsePortmapConfig({ cniVersion: '1.1.0', name: 'net', type: 'portmap', ...keys })
const mapped = (...portMappings: readonly object[]) => parse({ runtimeConfig: { portMappings } } as object)

describe('the configuration of portmap', () => {
  it('masquerades whom it must, by mark bit 13, unless told otherwise', () => {
    expect(parse({})).toEqual({ masquerade: 'needed', markBit: 13, wishes: [] })
    expect(parse({ snat: true, masqAll: true, markMasqBit: 0, backend: 'nftables' })).toMatchObject({
      masquerade: 'all',
      markBit: 0,
    })
    expect(parse({ snat: false, masqAll: true })).toMatchObject({ masquerade: 'none' })
    expect(parse({ snat: null, markMasqBit: null, conditionsV4: [], externalSetMarkChain: null })).toEqual(
      parse({}),
    )
  })

  it('takes mappings as runtimes write them: tcp where nothing is said, no host address where it is empty', () => {
    expect(
      mapped(
        { hostPort: 8080, containerPort: 80 },
        { hostPort: 53, containerPort: 5353, protocol: 'UDP', hostIP: '' },
        { hostPort: 1, containerPort: 2, protocol: 'tcp', hostIP: '2001:DB8::1' },
      ).wishes,
    ).toEqual([
      { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
      { protocol: 'udp', hostPort: 53, containerPort: 5353 },
      { protocol: 'tcp', hostPort: 1, containerPort: 2, hostIp: '2001:db8::1' },
    ])
  })

  it('takes the keys as containerd writes them', () => {
    expect(mapped({ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '' }).wishes).toEqual([
      { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
    ])
  })

  it('leaves a mapping of host port 0 out, and takes the same one twice for one', () => {
    const each = { hostPort: 8080, containerPort: 80, protocol: 'tcp' }
    expect(mapped({ ...each, hostPort: 0 }, each, each).wishes).toHaveLength(1)
  })

  it.each<[object, string, string]>([
    [
      { externalSetMarkChain: 'KUBE-MARK-MASQ' },
      'CNI_UNSUPPORTED_FIELD',
      'externalSetMarkChain: "KUBE-MARK-MASQ"',
    ],
    [{ conditionsV4: ['-s', '10.0.0.0/8'] }, 'CNI_UNSUPPORTED_FIELD', 'conditionsV4: '],
    [{ conditionsV6: ['!', '-d', 'fc00::/7'] }, 'CNI_UNSUPPORTED_FIELD', 'conditionsV6: '],
    [{ backend: 'iptables' }, 'CNI_UNSUPPORTED_FIELD', 'backend: "iptables"'],
    [{ backend: 'ebpf' }, 'CNI_INVALID_NETWORK_CONFIG', 'backend: '],
    [{ markMasqBit: 32 }, 'CNI_INVALID_NETWORK_CONFIG', 'markMasqBit: '],
    [{ snat: 'yes' }, 'CNI_INVALID_NETWORK_CONFIG', 'snat: expected boolean'],
  ])('refuses %j by name', (keys, code, message) => {
    expect(() => parse(keys)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })

  it.each<[object, string, string]>([
    [{ protocol: 'sctp' }, 'CNI_UNSUPPORTED_FIELD', 'portMappings[0].protocol: "sctp"'],
    [{ protocol: 'icmp' }, 'CNI_INVALID_NETWORK_CONFIG', 'portMappings[0].protocol: expected "tcp" or "udp"'],
    [{ hostIP: '::1' }, 'CNI_UNSUPPORTED_FIELD', 'portMappings[0].hostIP: "::1"'],
    [{ hostIP: 'localhost' }, 'CNI_INVALID_NETWORK_CONFIG', 'portMappings[0].hostIP'],
    [{ hostPort: 65_536 }, 'CNI_INVALID_NETWORK_CONFIG', 'portMappings[0].hostPort'],
    [{ hostPort: -1 }, 'CNI_INVALID_NETWORK_CONFIG', 'portMappings[0].hostPort'],
    [{ containerPort: 0 }, 'CNI_INVALID_NETWORK_CONFIG', 'portMappings[0].containerPort'],
    [{ containerPort: '80' }, 'CNI_INVALID_NETWORK_CONFIG', 'portMappings[0].containerPort'],
  ])('refuses a mapping with %j by name', (keys, code, message) => {
    expect(() => mapped({ hostPort: 8080, containerPort: 80, ...keys })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })

  it('is read or refused with a CNI error, whatever it holds', () => {
    const values = fc.oneof(fc.jsonValue(), fc.integer({ min: -1, max: 70_000 }), fc.constant('tcp'))
    const mappings = fc.array(
      fc.dictionary(fc.constantFrom('hostPort', 'containerPort', 'protocol', 'hostIP'), values),
    )
    const keys = fc.constantFrom('snat', 'masqAll', 'markMasqBit', 'backend', 'conditionsV4')
    fc.assert(
      fc.property(fc.dictionary(keys, values), fc.oneof(mappings, fc.jsonValue()), (own, portMappings) => {
        try {
          const { wishes } = parse({ ...own, runtimeConfig: { portMappings } } as object)
          for (const { hostPort, containerPort } of wishes) {
            expect(hostPort).toBeGreaterThan(0)
            expect(containerPort).toBeLessThan(65_536)
          }
        } catch (error) {
          expect(error).toMatchObject({ name: 'CniError' })
        }
      }),
    )
  })
})

describe('portmap as a plugin', () => {
  for (const { name, run } of pluginContract(portmap)) it(name, run)
})
