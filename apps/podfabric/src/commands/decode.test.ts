import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mac, parseIpv4 } from '@podfabric/netaddr'
import { vxlan } from '@podfabric/overlay'
import {
  encodePacket,
  ethernet,
  ethernetHeader,
  ipv4,
  ipv4Header,
  layer,
  pcapngWriter,
  udp,
} from '@podfabric/wire'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { decode } from './decode.ts'

const link = layer(
  ethernet,
  ethernetHeader({ source: mac('02:00:00:00:00:01'), destination: mac('02:00:00:00:00:02'), type: 0x0800 }),
)
const ip = (source: string, destination: string) =>
  layer(ipv4, ipv4Header({ source: parseIpv4(source), destination: parseIpv4(destination), protocol: 17 }))
const inTunnel = encodePacket([
  link,
  ip('192.168.0.1', '192.168.0.2'),
  layer(udp, { sourcePort: 50000, destinationPort: 8472 }),
  layer(vxlan, { vni: 1 }),
  link,
  ip('10.244.1.2', '10.244.2.3'),
  layer(udp, { sourcePort: 1, destinationPort: 2 }),
])
const options = { json: false, link: false, checksums: true }

let folder = ''
let lines: string[] = []
let notes: string[] = []
const output = {
  line: (text: string) => void lines.push(text),
  note: (text: string) => void notes.push(text),
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decode-'))
  lines = []
  notes = []
})
afterEach(() => rm(folder, { recursive: true }))

async function fileWith(...packets: Uint8Array[]): Promise<string> {
  const blocks: Uint8Array[] = []
  const writer = pcapngWriter((block) => blocks.push(block))
  const interfaceIndex = writer.addInterface({ name: 'node-1/eth0' })
  for (const bytes of packets)
    writer.addPacket({ interfaceIndex, timestamp: 1_500_000_000n, bytes, comments: ['why'] })
  const file = join(folder, 'a.pcapng')
  await writeFile(file, Buffer.concat(blocks))
  return file
}

describe('decode', () => {
  it('shows outer and inner headers in one line a packet', async () => {
    expect(await decode(await fileWith(inTunnel, inTunnel), options, output)).toBe(0)
    expect(lines[1]).toBe(
      '2  00:00:01.500000000  node-1/eth0  IP 192.168.0.1.50000 > 192.168.0.2.8472: VXLAN, vni 1: IP 10.244.1.2.1 > 10.244.2.3.2: UDP, length 0',
    )
  })

  it('gives every layer as JSON', async () => {
    await decode(await fileWith(inTunnel), { ...options, json: true }, output)
    const { dissection, comments } = JSON.parse(lines[0] ?? '')
    expect(dissection.layers.map(({ protocol }: { protocol: string }) => protocol)).toEqual([
      'ethernet',
      'ipv4',
      'udp',
      'vxlan',
      'ethernet',
      'ipv4',
      'udp',
    ])
    expect(comments).toEqual(['why'])
  })

  it('marks a malformed packet, goes on, and says so by its exit code', async () => {
    const damaged = inTunnel.slice()
    damaged[24] = (damaged[24] ?? 0) ^ 0xff
    expect(await decode(await fileWith(damaged, inTunnel), options, output)).toBe(1)
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/\[.*checksum/)
    expect(notes).toEqual(['1 of 2 packets are malformed'])
  })

  it.each([
    ['missing.pcap', undefined, /missing\.pcap: .*no such file/],
    ['text.pcap', 'hello, world', /text\.pcap: .*at octet 0/],
    ['empty.pcap', '', /empty\.pcap: /],
  ])('refuses %s, naming it', async (name, content, message) => {
    const file = join(folder, name)
    if (content !== undefined) await writeFile(file, content)
    await expect(decode(file, options, output)).rejects.toThrow(message)
  })

  it('says after which packet a file is cut off', async () => {
    const file = await fileWith(inTunnel, inTunnel)
    const { readFile } = await import('node:fs/promises')
    await writeFile(file, (await readFile(file)).subarray(0, -7))
    await expect(decode(file, options, output)).rejects.toThrow(/after packet 1: /)
  })
})
