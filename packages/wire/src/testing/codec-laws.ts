import { deepStrictEqual, fail } from 'node:assert/strict'
import type { Codec } from '../codec.ts'

/** One law of a contract. Fails by throwing. */
export interface Law {
  readonly name: string
  run(): Promise<void>
}

/** A header with what it is encoded over and with. */
export interface CodecExample<H, C> {
  readonly header: H
  /** Default: empty. */
  readonly payload?: Uint8Array
  readonly checksums: C
}

export interface CodecSamples<H, C> {
  /**
   * Headers, in the form that decode gives: each with everything at its default, and at least one with nothing
   * at its default. Generated ones of a property test go here too.
   */
  readonly examples: readonly CodecExample<H, C>[]
  /** Packets captured from another implementation, which must come out of decode and encode as they were. */
  readonly captured?: readonly { readonly bytes: Uint8Array; readonly checksums: C }[]
  /** What is passed with random octets and cut packets; should be one that verifies nothing. */
  readonly unchecked: C
  /** Random octets; default: deterministic noise of every length up to 128. */
  readonly noise?: Iterable<Uint8Array>
  /**
   * Which cuts are `WIRE_TRUNCATED`. `anywhere`: the header declares the payload's length. `header` (default): any
   * cut inside the header. `options`: as `header`, but options run to the packet's end, and a cut between two
   * of them leaves a sound, shorter message.
   */
  readonly cuts?: 'anywhere' | 'header' | 'options'
}

/** What every codec promises, as data for any test runner. */
export function codecLaws<H, C>(codec: Codec<H, C>, samples: CodecSamples<H, C>): Law[] {
  return [
    law(codec, 'decodes what it encoded to the same header and payload', () => {
      for (const example of samples.examples) {
        const decoded = codec.decode(encode(codec, example), example.checksums)
        deepStrictEqual(plain(decoded.header), plain(example.header))
        deepStrictEqual([...decoded.payload], [...(example.payload ?? [])])
      }
    }),
    law(codec, 'encodes what it decoded to the same octets', () => {
      for (const { bytes, checksums } of samples.captured ?? []) {
        const { header, payload } = codec.decode(bytes, checksums)
        const length = codec.encodingLength(header) + payload.length
        deepStrictEqual(hex(encode(codec, { header, payload, checksums })), hex(bytes.subarray(0, length)))
      }
    }),
    law(codec, 'writes every octet of its header and none beyond it', () => {
      for (const example of samples.examples) {
        const clean = encode(codec, example, 0x00)
        deepStrictEqual(hex(encode(codec, example, 0xa5)), hex(clean))
        const payload = example.payload ?? new Uint8Array(0)
        deepStrictEqual(clean.length, codec.encodingLength(example.header) + payload.length)
        deepStrictEqual(hex(clean.subarray(clean.length - payload.length)), hex(payload))
      }
    }),
    law(codec, 'gives the payload as a view, never a copy', () => {
      for (const example of samples.examples) {
        const packet = encode(codec, example)
        const { payload } = codec.decode(packet, example.checksums)
        deepStrictEqual(payload.buffer === packet.buffer, true)
      }
    }),
    law(codec, 'refuses a packet that is cut short as WIRE_TRUNCATED', () => {
      for (const example of samples.examples) cutEverywhere(codec, samples, encode(codec, example))
    }),
    law(codec, 'reads nothing outside the octets it is given', () => {
      for (const example of samples.examples) insideNoise(codec, example)
    }),
    law(codec, 'throws nothing but WireError, whatever the octets', () => {
      for (const octets of samples.noise ?? defaultNoise(codec, samples))
        decodes(codec, octets, samples.unchecked)
    }),
  ]
}

function law<H, C>(codec: Codec<H, C>, name: string, run: () => void): Law {
  return { name: `${codec.name} ${name}`, run: async () => run() }
}

function encode<H, C>(codec: Codec<H, C>, example: CodecExample<H, C>, dirt = 0): Uint8Array {
  const payload = example.payload ?? new Uint8Array(0)
  const length = codec.encodingLength(example.header)
  const packet = new Uint8Array(length + payload.length).fill(dirt)
  packet.set(payload, length)
  codec.encode(example.header, packet, example.checksums)
  return packet
}

function cutEverywhere<H, C>(codec: Codec<H, C>, samples: CodecSamples<H, C>, packet: Uint8Array): void {
  const { cuts = 'header', unchecked } = samples
  const needed =
    cuts === 'anywhere' ? packet.length : packet.length - codec.decode(packet, unchecked).payload.length
  for (let length = 0; length < needed; length++) {
    const code = decodes(codec, packet.slice(0, length), unchecked)
    if (code === 'WIRE_TRUNCATED') continue
    if (cuts === 'options' && code === undefined) continue
    fail(`the first ${length} of ${packet.length} octets gave ${code ?? 'a header'}: ${hex(packet)}`)
  }
}

/** The same packet amid other octets decodes to the same. */
function insideNoise<H, C>(codec: Codec<H, C>, example: CodecExample<H, C>): void {
  const packet = encode(codec, example)
  const around = new Uint8Array(packet.length + 64).fill(0x5a)
  around.set(packet, 32)
  const alone = codec.decode(packet, example.checksums)
  const amid = codec.decode(around.subarray(32, 32 + packet.length), example.checksums)
  deepStrictEqual(amid.header, alone.header)
  deepStrictEqual(hex(amid.payload), hex(alone.payload))
}

/** The code of the WireError thrown, undefined when the octets decode; fails on any other error. */
function decodes<H, C>(codec: Codec<H, C>, octets: Uint8Array, checksums: C): string | undefined {
  try {
    codec.decode(octets, checksums)
    return undefined
  } catch (error) {
    if (error instanceof Error && error.name === 'WireError' && 'code' in error) return String(error.code)
    return fail(`decoding ${hex(octets)} threw ${String(error)} instead of a WireError`)
  }
}

/** Generated values may lack a prototype, which is no difference between headers. */
function plain<T>(header: T): T {
  return structuredClone(header)
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join(' ')
}

/** Noise alone seldom gets past a version field: also every example with one octet replaced. */
function* defaultNoise<H, C>(codec: Codec<H, C>, samples: CodecSamples<H, C>): Generator<Uint8Array> {
  let state = 0x2545_f491
  const random = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state & 255
  }
  for (let length = 0; length <= 128; length++) {
    for (let round = 0; round < 8; round++) yield Uint8Array.from({ length }, random)
  }
  for (const example of samples.examples) {
    const packet = encode(codec, example)
    for (let at = 0; at < packet.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff, random()]) {
        const damaged = packet.slice()
        damaged[at] = value
        yield damaged
      }
    }
  }
}
