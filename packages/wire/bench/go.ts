import { runGo } from '../../netaddr/bench/go.ts'
import type { Measured } from '../../netaddr/bench/ratio.ts'

const PROGRAM = `package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"os"
	"syscall"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

var sink int

func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

func measure(name string, f func()) {
	count := 1000
	for {
		start := cpu()
		for i := 0; i < count; i++ {
			f()
		}
		ns := cpu() - start
		if ns > 100e6 {
			fmt.Printf("%s\\t%f\\n", name, float64(ns)/float64(count))
			return
		}
		count *= 4
	}
}

func checksum(b []byte) uint16 {
	var sum, carry uint64
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b), carry)
		b = b[8:]
	}
	sum += carry
	sum = (sum & 0xffffffff) + (sum >> 32)
	for i, o := range b {
		sum += uint64(o) << (8 * uint(i&1))
	}
	for sum > 0xffff {
		sum = (sum & 0xffff) + (sum >> 16)
	}
	return ^uint16(sum)
}

func main() {
	frame, _ := hex.DecodeString(os.Args[1])
	data := make([]byte, 1400)
	for i := range data {
		data[i] = byte(i * 7)
	}
	measure("checksum", func() { sink += int(checksum(data)) })
	var eth layers.Ethernet
	var ip layers.IPv4
	var udp layers.UDP
	measure("decode", func() {
		eth.DecodeFromBytes(frame, gopacket.NilDecodeFeedback)
		ip.DecodeFromBytes(eth.Payload, gopacket.NilDecodeFeedback)
		udp.DecodeFromBytes(ip.Payload, gopacket.NilDecodeFeedback)
		sink += int(udp.DstPort)
	})
	measure("newpacket", func() {
		sink += len(gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default).Layers())
	})
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	udp.SetNetworkLayerForChecksum(&ip)
	payload := gopacket.Payload(udp.Payload)
	measure("serialize", func() {
		gopacket.SerializeLayers(buffer, options, &eth, &ip, &udp, payload)
		sink += len(buffer.Bytes())
	})
}
`

export type GoOperation = 'checksum' | 'decode' | 'newpacket' | 'serialize'

/** What Go with gopacket takes for the same work, or the reason why it was not measured. */
export function measureGo(frameHex: string): ((name: string, operation: GoOperation) => Measured[]) | string {
  const times = runGo(PROGRAM, [frameHex])
  if (typeof times === 'string') return times
  return (name, operation) => [{ name, nanoseconds: times.get(operation) ?? Number.NaN }]
}
