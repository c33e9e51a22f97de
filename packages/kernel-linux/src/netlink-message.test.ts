import { KernelError } from '@podfabric/kernel'
import { ifAddress, ip, mac, prefix } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { controlMessages } from './control-message.ts'
import { Attributes, attributeList, NetlinkWriter, NLM_F_ACK, netlinkMessages } from './netlink-message.ts'
import { addAddress, readAddress } from './rtnetlink-address.ts'
import { addFdb, readFdb } from './rtnetlink-fdb.ts'
import { addLink, readLink } from './rtnetlink-link.ts'
import { addNeighbor, readNeighbor } from './rtnetlink-neighbor.ts'
import { addRoute, readAnswer, readRoute } from './rtnetlink-route.ts'
import { addRule, readRule } from './rtnetlink-rule.ts'
import { endpointOf } from './socket-address.ts'

const nameOf = (index: number) => `link${index}`
const indexOf = (name: string) => Number(name.replace('link', ''))
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const payloadOf = (writer: NetlinkWriter) => writer.finish(1, NLM_F_ACK).subarray(16)

describe('a netlink message', () => {
  for (const { command, bytes, writer } of commands()) {
    it(`is what iproute2 sends for \`${command}\``, () => {
      const [theirs] = netlinkMessages(fromHex(bytes))
      const [ours] = netlinkMessages(writer.finish(1, NLM_F_ACK))
      expect(ours?.type).toBe(theirs?.type)
      expect(ours?.flags).toBe(theirs?.flags)
      const length = command.includes(' address ') ? 8 : 12
      expect(parts(ours?.payload, length)).toEqual(parts(theirs?.payload, length))
    })
  }

  it('reads the vxlan link that Linux 6.18 sent', () => {
    const [message] = netlinkMessages(fromHex(VXLAN_LINK))
    expect(readLink(message?.payload ?? new Uint8Array()).toLink(nameOf)).toEqual({
      kind: 'vxlan',
      name: 'vx0',
      index: 3,
      mac: 'a2:da:3d:8d:0e:ab',
      mtu: 1500,
      up: false,
      running: false,
      vni: 7,
      udpPort: 8472,
      learning: false,
      local: '192.0.2.1',
    })
  })

  it('is malformed where an attribute is longer than the message', () => {
    expect(() => new Attributes(Uint8Array.of(9, 0, 1, 0, 0))).toThrow(/EPROTO/)
    expect(() => netlinkMessages(new Uint8Array(16))).toThrow(/EPROTO/)
  })

  it('gives back every attribute that was written', () => {
    const attribute = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.uint8Array({ maxLength: 300 }))
    fc.assert(
      fc.property(fc.uniqueArray(attribute, { selector: ([type]) => type, maxLength: 30 }), (written) => {
        const writer = new NetlinkWriter(16)
        for (const [type, value] of written) writer.attribute(type, value)
        const [message] = netlinkMessages(writer.finish(7, 0))
        const read = new Attributes(message?.payload ?? new Uint8Array())
        for (const [type, value] of written) expect(read.bytes(type)).toEqual(value)
      }),
    )
  })
})

describe('rows', () => {
  it('come back as they were written', () => {
    const address = { link: 'link2', address: ifAddress('fd00::1/64'), scope: 'global', noDad: true } as const
    expect(readAddress(payloadOf(addAddress(address, 2, 'add')), nameOf)).toEqual(address)
    const neighbor = {
      link: 'link2',
      address: ip('fd00::2'),
      mac: mac('02:00:00:00:00:01'),
      state: 'stale',
    } as const
    expect(readNeighbor(payloadOf(addNeighbor(neighbor, 2, 'add')), nameOf)).toEqual(neighbor)
    const entry = {
      link: 'link2',
      mac: mac('02:00:00:00:00:01'),
      destination: ip('192.0.2.1'),
      state: 'static',
      owner: 'self',
    } as const
    expect(readFdb(payloadOf(addFdb(entry, 2, 'add')), nameOf)).toEqual(entry)
    const rule = {
      family: 4,
      priority: 5,
      mark: { value: 1, mask: 255 },
      action: { lookup: 1000 },
      protocol: 80,
    } as const
    expect(readRule(payloadOf(addRule(rule)))).toEqual(rule)
    const route = {
      destination: prefix('fd09::/64'),
      type: 'unicast',
      gateway: ip('fe80::1'),
      link: 'link2',
      metric: 10,
      table: 1000,
      mtu: 1400,
      onlink: true,
      protocol: 80,
    } as const
    expect(readRoute(payloadOf(addRoute(route, indexOf, 'add')), nameOf)).toEqual(route)
  })

  it('of a veth pair name the peer, its namespace and one queue on both ends', () => {
    const writer = addLink({ kind: 'veth', name: 'a', peer: { name: 'b' } }, indexOf, 9)
    const info = new Attributes(payloadOf(writer), 16)
    expect([info.u32(31), info.u32(32)]).toEqual([1, 1])
    const peer = info.nested(18)?.nested(2)?.bytes(1)
    const attributes = new Attributes(peer ?? new Uint8Array(), 16)
    expect([attributes.text(3), attributes.u32(28), attributes.u32(31)]).toEqual(['b', 9, 1])
  })
})

describe('whatever the kernel sends', () => {
  const readers: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
    messages: netlinkMessages,
    link: (bytes) => readLink(bytes).toLink(nameOf),
    address: (bytes) => readAddress(bytes, nameOf),
    route: (bytes) => readRoute(bytes, nameOf),
    answer: (bytes) => readAnswer(bytes, nameOf, () => 1500),
    rule: readRule,
    neighbor: (bytes) => readNeighbor(bytes, nameOf),
    fdb: (bytes) => readFdb(bytes, nameOf),
    'control messages': controlMessages,
    'socket address': endpointOf,
  }
  for (const [name, read] of Object.entries(readers)) {
    it(`a reader of ${name} gives a value or refuses with EPROTO`, () => {
      fc.assert(
        fc.property(kernelish, (bytes) => {
          try {
            read(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(KernelError)
            expect((error as KernelError).code).toBe('EPROTO')
          }
        }),
        { numRuns: 2000 },
      )
    })
  }
})

/** Octets in which the readers get further than into random ones: a right family, attributes of small types. */
const attributeOctets = fc
  .tuple(fc.integer({ min: 1, max: 33 }), fc.uint8Array({ maxLength: 20 }), fc.integer({ min: -2, max: 2 }))
  .map(([type, value, wrong]) => {
    const length = Math.max(0, 4 + value.length + (wrong === 2 ? 9 : 0))
    return [length & 255, length >> 8, type, 0, ...value, ...new Uint8Array(-value.length & 3)]
  })
const kernelish = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .tuple(
      fc.constantFrom(0, 2, 7, 10),
      fc.uint8Array({ minLength: 7, maxLength: 15 }),
      fc.array(attributeOctets, { maxLength: 8 }),
    )
    .map(([family, head, attributes]) => Uint8Array.from([family, ...head, ...attributes.flat()])),
)

function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'))
}

/** The fixed header, and the attributes by type: their order means nothing. */
function parts(payload: Uint8Array = new Uint8Array(), header = 0) {
  const attributes = attributeList(payload, header).map(({ type, value }) => `${type}: ${hex(value)}`)
  return { header: hex(payload.subarray(0, header)), attributes: attributes.toSorted() }
}

/** What iproute2 6.1.0 sent, by strace -e write=all; link 2 was a bridge, link 3 a vxlan link. */
function commands() {
  return [
    {
      command: 'ip address add 10.0.0.1/24 dev link2',
      bytes: '280000001400050600a4056b000000000218000002000000080002000a000001080001000a000001',
      writer: addAddress({ link: 'link2', address: ifAddress('10.0.0.1/24') }, 2, 'add'),
    },
    {
      command:
        'ip route add 10.9.0.0/16 via 10.0.0.2 dev link2 src 10.0.0.1 metric 7 table 100 protocol 80 mtu 1400 advmss 1300 onlink',
      bytes:
        '580000001800050600a4056b00000000021000006450000104000000080001000a090000080005000a000002080007000a000001' +
        '080006000700000008000400020000001400080008000200780500000800080014050000',
      writer: addRoute(
        {
          destination: prefix('10.9.0.0/16'),
          gateway: ip('10.0.0.2'),
          link: 'link2',
          source: ip('10.0.0.1'),
          metric: 7,
          table: 100,
          protocol: 80,
          mtu: 1400,
          advmss: 1300,
          onlink: true,
        },
        indexOf,
        'add',
      ),
    },
    {
      command: 'ip -6 route add fd09::/64 via fd00::2 dev link2 metric 7 table 1000 onlink',
      bytes:
        '5c0000001800050600a4056b000000000a400000000300010400000014000100fd09000000000000000000000000000014000500' +
        'fd000000000000000000000000000002080006000700000008000f00e80300000800040002000000',
      writer: addRoute(
        {
          destination: prefix('fd09::/64'),
          gateway: ip('fd00::2'),
          link: 'link2',
          metric: 7,
          table: 1000,
          onlink: true,
        },
        indexOf,
        'add',
      ),
    },
    {
      command: 'ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev link2 nud permanent protocol 80',
      bytes:
        '380000001c00050601a4056b0000000002000000020000008000000005000c0050000000080001000a0000090a000200' +
        '0200000000090000',
      writer: addNeighbor(
        { link: 'link2', address: ip('10.0.0.9'), mac: mac('02:00:00:00:00:09'), protocol: 80 },
        2,
        'add',
      ),
    },
    {
      command: 'bridge fdb append 00:00:00:00:00:00 dev link3 dst 192.0.2.2 self permanent',
      bytes:
        '300000001c00050c01a4056b000000000700000003000000c00002000a000200000000000000000008000100c0000202',
      writer: addFdb(
        { link: 'link3', mac: mac('00:00:00:00:00:00'), destination: ip('192.0.2.2') },
        3,
        'append',
      ),
    },
    {
      command: 'ip rule add from 10.1.0.0/16 fwmark 0x10/0xf0 iif br0 lookup 1000 priority 500',
      bytes:
        '4c0000002000050600a4056b00000000020010000000000100000000080002000a01000008000a001000000008001000f0000000' +
        '080003006272300008000f00e803000008000600f4010000',
      writer: addRule({
        family: 4,
        priority: 500,
        from: prefix('10.1.0.0/16'),
        mark: { value: 0x10, mask: 0xf0 },
        input: 'br0',
        action: { lookup: 1000 },
      }),
    },
  ]
}

/** By `strace -e read=all ip -d link show dev vx0`; statistics and per-family settings cut out. */
const VXLAN_LINK =
  'f80100001000000001a4056bdd6c000000000100030000000210000000000000080003007678300008000d00e8030000' +
  '05001000020000000500110000000000050043000000000008000400dc050000080032004400000008003300ffff0000' +
  '08001b000000000008001e000000000008003d000000000008001f000100000008002800ffff00000800290000000100' +
  '08003a000000010008003f0000000100080040000000010008003b000000010008003c00ffff00000800420000000000' +
  '08002000010000000500210001000000080023000000000008002f000000000008003000000000000600440040000000' +
  '060045000000000005002700000000000a000100a2da3d8d0eab00000a000200ffffffffffff0000e00012000a000100' +
  '76786c616e000000d0000200080001000700000008000400c0000201050005000000000005001c000000000005000600' +
  '0000000005001d000000000008001a00000000000800200000000000050007000000000005000b000000000005000c00' +
  '0000000005000d000000000005000e00000000000500190000000000080008002c010000080009000000000006000f00' +
  '211800000500120001000000050013000000000005001400000000000500150000000000050016000000000005001f00' +
  '0100000008000a00000000000c002100f7ffffff000000ff'
