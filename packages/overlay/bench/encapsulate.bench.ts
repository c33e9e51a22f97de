import { parseIpv4 } from '@podfabric/netaddr'
import { encodePacket, ipv4, ipv4Header, layer, udp } from '@podfabric/wire'
import { runGo } from '../../netaddr/bench/go.ts'
import { type Contender, compare, type Measured } from '../../netaddr/bench/ratio.ts'
import { prepareVxlan, vxlan } from '../src/index.ts'

// gopacket as its users have it (SerializeLayers), and as fast as it goes: each layer by itself, UDP checksum left zero.
const GO = `package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func measure(name string, f func()) {
	for count := 1000; ; count *= 4 {
		start := cpu()
		for i := 0; i < count; i++ {
			f()
		}
		if ns := cpu() - start; ns > 100e6 {
			fmt.Printf("%s\\t%f\\n", name, float64(ns)/float64(count))
			return
		}
	}
}

func main() {
	size, _ := strconv.Atoi(os.Args[1])
	payload := gopacket.Payload(make([]byte, size))
	ip := layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: 17, SrcIP: net.IP{192, 168, 0, 1}, DstIP: net.IP{192, 168, 0, 2}}
	udp := layers.UDP{SrcPort: 50000, DstPort: 8472}
	vx := layers.VXLAN{ValidIDFlag: true, VNI: 1}
	udp.SetNetworkLayerForChecksum(&ip)
	buffer := gopacket.NewSerializeBuffer()
	all := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	lengths := gopacket.SerializeOptions{FixLengths: true}
	measure("layers", func() { gopacket.SerializeLayers(buffer, all, &ip, &udp, &vx, payload) })
	measure("serializeto", func() {
		buffer.Clear()
		payload.SerializeTo(buffer, lengths)
		vx.SerializeTo(buffer, lengths)
		udp.SerializeTo(buffer, lengths)
		ip.SerializeTo(buffer, all)
	})
}
`

const source = parseIpv4('192.168.0.1')
const destination = parseIpv4('192.168.0.2')

for (const size of [64, 1400]) {
  const prepared = prepareVxlan({ source, destination, vni: 1, udpPort: 8472 })
  const buffer = new Uint8Array(128 + size)
  const view = new DataView(buffer.buffer)
  const frame = new Uint8Array(size)
  const template = new Uint8Array(36)
  const times = runGo(GO, [String(size)])
  if (typeof times === 'string') console.log(times)
  const measured: Measured[] =
    typeof times === 'string'
      ? []
      : [
          {
            name: 'Go, gopacket, each layer, no UDP checksum',
            nanoseconds: times.get('serializeto') ?? Number.NaN,
          },
          { name: 'Go, gopacket, SerializeLayers', nanoseconds: times.get('layers') ?? Number.NaN },
        ]
  compare(
    `VXLAN over IPv4 around a frame of ${size} octets`,
    [
      loop('prepared headers, in place', (i) =>
        prepared.write(view, 128, size, 50_000 + (i & 1023), i & 0xffff),
      ),
      loop('copying a template of 36 octets', () => buffer.set(template, 92)),
      loop('the codecs, with a new buffer', () => {
        const header = ipv4Header({ source, destination, protocol: 17, ttl: 64 })
        const ports = { sourcePort: 50_000, destinationPort: 8472 }
        encodePacket([layer(ipv4, header), layer(udp, ports, 'unchecked'), layer(vxlan, { vni: 1 })], frame)
      }),
    ],
    measured,
  )
}

function loop(name: string, each: (i: number) => void): Contender {
  return {
    name,
    run(count) {
      for (let i = 0; i < count; i++) each(i)
      return count
    },
  }
}
