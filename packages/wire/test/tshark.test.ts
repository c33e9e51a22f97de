import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mac, parseIpv4, parseIpv6, prefix } from '@podfabric/netaddr'
import { afterAll, describe, expect, it } from 'vitest'
import {
  type CapturedPacket,
  encodePacket,
  ethernet,
  ethernetHeader,
  etherTypes,
  icmp,
  icmpv6,
  ipProtocols,
  ipv4,
  ipv4Header,
  ipv6,
  ipv6Header,
  layer,
  pcapngWriter,
  readCapture,
  tcp,
  tcpFlags,
  tcpHeader,
  udp,
} from '../src/index.ts'
import { frames } from './frames.ts'

const version = tsharkVersion()

function tsharkVersion(): string | undefined {
  try {
    return execFileSync('tshark', ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).split('\n')[0]
  } catch {
    return undefined
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

async function read(path: string): Promise<CapturedPacket[]> {
  const packets: CapturedPacket[] = []
  for await (const packet of readCapture([readFileSync(path)])) packets.push(packet)
  return packets
}

const macs = { source: mac('02:00:00:00:00:01'), destination: mac('02:00:00:00:00:02') }
const v4 = { source: parseIpv4('10.244.1.2'), destination: parseIpv4('10.244.2.3') }
const v6 = { source: parseIpv6('fe80::1'), destination: parseIpv6('ff02::1') }
const link = (type: number) => layer(ethernet, ethernetHeader({ ...macs, type }))
const data = new TextEncoder().encode('data')
const ours: [summary: RegExp, packet: Uint8Array][] = [
  [
    /Echo \(ping\) request/,
    encodePacket(
      [
        link(etherTypes.ipv4),
        layer(ipv4, ipv4Header({ ...v4, protocol: ipProtocols.icmp })),
        layer(icmp, { kind: 'echo-request', identifier: 1, sequence: 2 }),
      ],
      data,
    ),
  ],
  [
    /1234 .+ 8080 \[SYN\].*MSS=1460 SACK_PERM TSval=1 TSecr=0 WS=128/,
    encodePacket([
      link(etherTypes.ipv4),
      layer(ipv4, ipv4Header({ ...v4, protocol: ipProtocols.tcp })),
      layer(
        tcp,
        tcpHeader({
          sourcePort: 1234,
          destinationPort: 8080,
          sequence: 7,
          flags: tcpFlags.syn,
          options: [
            { kind: 'mss', size: 1460 },
            { kind: 'sack-permitted' },
            { kind: 'timestamps', value: 1, echo: 0 },
            { kind: 'nop' },
            { kind: 'window-scale', shift: 7 },
          ],
        }),
      ),
    ]),
  ],
  [
    /9000 .+ 9001 Len=4/,
    encodePacket(
      [
        link(etherTypes.ipv6),
        layer(
          ipv6,
          ipv6Header({
            ...v6,
            nextHeader: ipProtocols.udp,
            extensions: [{ kind: 'destination-options', options: [{ type: 0x1e, data: Uint8Array.of(1) }] }],
          }),
        ),
        layer(udp, { sourcePort: 9000, destinationPort: 9001 }),
      ],
      data,
    ),
  ],
  [
    /Router Advertisement from 02:00:00:00:00:01/,
    encodePacket([
      link(etherTypes.ipv6),
      layer(ipv6, ipv6Header({ ...v6, nextHeader: ipProtocols.icmpv6, hopLimit: 255 })),
      layer(icmpv6, {
        kind: 'router-advertisement',
        hopLimit: 64,
        managed: false,
        otherConfiguration: false,
        lifetime: 1800,
        reachableTime: 0,
        retransmitTimer: 0,
        options: [
          { kind: 'source-link-layer', mac: macs.source },
          { kind: 'mtu', mtu: 1450 },
          {
            kind: 'prefix-information',
            prefix: prefix('fd00:0:0:1::/64'),
            onLink: true,
            autonomous: true,
            validLifetime: 86_400,
            preferredLifetime: 14_400,
          },
        ],
      }),
    ]),
  ],
]

const CHECK = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`])
const BAD =
  '_ws.malformed || _ws.expert.severity >= 8388608 || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0'

describe.skipIf(version === undefined)(`tshark (${version ?? 'skipped: not on the path'})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'wire-'))
  const file = join(folder, 'ours.pcapng')
  afterAll(() => rmSync(folder, { recursive: true }))

  const blocks: Uint8Array[] = []
  const writer = pcapngWriter((block) => blocks.push(block), { application: 'podfabric' })
  const names = ['node1/eth0', 'node2/eth0']
  for (const name of names) writer.addInterface({ name })
  ours.forEach(([, bytes], i) => {
    const comments = [`packet ${i}`, 'with ünicode']
    writer.addPacket({
      interfaceIndex: i % 2,
      timestamp: 1_700_000_000_123_456_789n + BigInt(i),
      bytes,
      comments,
    })
  })
  for (const bytes of frames('linux-veth.hex').values())
    writer.addPacket({ interfaceIndex: 0, timestamp: 0n, bytes })
  writeFileSync(file, Buffer.concat(blocks))

  it('finds nothing malformed and no wrong checksum in what we encode', () => {
    expect(run('tshark', '-r', file, ...CHECK, '-Y', BAD)).toBe('')
    const damaged = join(folder, 'damaged.pcapng')
    const bytes = Buffer.concat(blocks)
    const payload = bytes.indexOf('data')
    bytes[payload] = 0
    writeFileSync(damaged, bytes)
    expect(run('tshark', '-r', damaged, ...CHECK, '-Y', BAD)).not.toBe('')
  })

  it('reads our packets as what they are', () => {
    const lines = run('tshark', '-r', file, '-c', String(ours.length)).trim().split('\n')
    ours.forEach(([summary], i) => {
      expect(lines[i]).toMatch(summary)
    })
  })

  it('sees our interface names, nanoseconds and comments', () => {
    const fields = ['frame.interface_name', 'frame.time_epoch', 'frame.comment'].flatMap((name) => [
      '-e',
      name,
    ])
    const lines = run('tshark', '-r', file, '-c', '2', '-T', 'fields', ...fields)
      .trim()
      .split('\n')
    expect(lines).toEqual([
      'node1/eth0\t1700000000.123456789\tpacket 0,with ünicode',
      'node2/eth0\t1700000000.123456790\tpacket 1,with ünicode',
    ])
  })

  it.each(['pcap', 'nsecpcap', 'pcapng'])('writes %s that we read alike', async (format) => {
    const converted = join(folder, `converted.${format}`)
    run('tshark', '-r', file, '-F', format, '-w', converted)
    const [before, after] = [await read(file), await read(converted)]
    expect(after.map(({ bytes }) => bytes)).toEqual(before.map(({ bytes }) => bytes))
    if (format === 'pcap') return
    expect(after.map(({ timestamp }) => timestamp)).toEqual(before.map(({ timestamp }) => timestamp))
    if (format === 'pcapng') expect(after).toEqual(before)
  })
})
