import { ifAddress, ip } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  containerAddresses,
  factsOf,
  mappingsFor,
  meet,
  type Published,
  publishedIn,
} from './port-mapping.ts'

const dual = [ip('10.88.0.2'), ip('fd88::2')]
const wish = (hostPort: number, hostIp?: string, containerPort = 80) => ({
  protocol: 'tcp' as const,
  hostPort,
  containerPort,
  ...(hostIp !== undefined && { hostIp: ip(hostIp) }),
})

describe('mappings', () => {
  it('are in every family of the container, or in that of the host address', () => {
    const of = (hostIp?: string) => mappingsFor([wish(1, hostIp)], dual)
    expect(of()).toMatchObject([{ address: '10.88.0.2' }, { address: 'fd88::2' }])
    expect(of('0.0.0.0')).toEqual([{ protocol: 'tcp', hostPort: 1, address: '10.88.0.2', port: 80 }])
    expect(of('::')).toEqual([{ protocol: 'tcp', hostPort: 1, address: 'fd88::2', port: 80 }])
    expect(of('192.0.2.1')).toMatchObject([{ hostIp: '192.0.2.1', address: '10.88.0.2' }])
    expect(mappingsFor([wish(1, '2001:db8::1')], dual.slice(0, 1))).toEqual([])
  })

  it('of one port are one where they lead to the same place, and refused where not', () => {
    expect(mappingsFor([wish(1, '192.0.2.1'), wish(1)], dual)).toHaveLength(2)
    expect(mappingsFor([wish(1, '192.0.2.1'), wish(1, '192.0.2.2', 81)], dual)).toHaveLength(2)
    expect(() => mappingsFor([wish(1), wish(1, '192.0.2.1', 81)], dual)).toThrow(
      expect.objectContaining({
        code: 'CNI_INVALID_NETWORK_CONFIG',
        message: expect.stringContaining('tcp port 1 of 192.0.2.1 is to lead to ports 80 and 81'),
      }),
    )
  })

  it('are recorded such that they can be read again', () => {
    const port = fc.integer({ min: 1, max: 65_535 })
    const mapping = fc.record({
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
      hostPort: port,
      address: fc.constantFrom(...dual),
      port,
    })
    const published = fc.record({
      mappings: fc.array(
        fc.oneof(
          mapping,
          mapping.map((each) => ({ ...each, hostIp: each.address })),
        ),
      ),
      masquerade: fc.constantFrom('none' as const, 'needed' as const, 'all' as const),
      markBit: fc.integer({ min: 0, max: 31 }),
      links: fc.constantFrom({}, { ip: 'cni0' }, { ip: 'cni0', ip6: 'a.b' }),
    })
    fc.assert(
      fc.property(published, (each: Published) => {
        expect(publishedIn(JSON.parse(JSON.stringify(factsOf(each))))).toEqual(each)
      }),
    )
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('mappings', 'links', 'markBit'), fc.jsonValue()), (facts) => {
        publishedIn(facts as never)
      }),
    )
  })

  it('meet where a packet could belong to both', () => {
    const at = (hostIp?: string, address = dual[0] ?? ip('::')) => ({
      ...wish(1, hostIp),
      address,
    })
    expect(meet(at(), at('192.0.2.1'))).toBe(true)
    expect(meet(at('192.0.2.1'), at('192.0.2.2'))).toBe(false)
    expect(meet(at(), at(undefined, ip('fd88::2')))).toBe(false)
    expect(meet(at(), { ...at(), protocol: 'udp' })).toBe(false)
  })
})

describe('the addresses of the container', () => {
  it('are the first of each family of its interface', () => {
    const interfaces = [{ name: 'cni0' }, { name: 'eth0', sandbox: '/x' }, { name: 'eth1', sandbox: '/x' }]
    const ips = [
      { address: ifAddress('192.168.9.1/24'), interface: 0 },
      { address: ifAddress('192.168.9.2/24'), interface: 2 },
      { address: ifAddress('fd88::2/64'), interface: 1 },
      { address: ifAddress('10.88.0.2/24'), interface: 1 },
      { address: ifAddress('10.88.0.3/24'), interface: 1 },
    ]
    expect(containerAddresses({ interfaces, ips, routes: [] }, { ifName: 'eth0' })).toEqual(dual)
    const untold = [{ address: ifAddress('10.88.0.2/24') }]
    expect(containerAddresses({ interfaces: [], ips: untold, routes: [] }, { ifName: 'eth0' })).toEqual([
      dual[0],
    ])
  })
})
