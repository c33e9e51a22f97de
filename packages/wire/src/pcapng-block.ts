// pcapng, draft-ietf-opsawg-pcapng: block and option numbers
//
//  block:   type 4, total length 4, body padded to 4, total length 4
//  option:  code 2, length 2, value padded to 4

export const blockTypes = {
  sectionHeader: 0x0a0d_0d0a,
  interfaceDescription: 1,
  /** Obsolete, still found in old files. */
  packet: 2,
  simplePacket: 3,
  enhancedPacket: 6,
} as const

export const optionCodes = {
  end: 0,
  comment: 1,
  sectionHardware: 2,
  sectionOs: 3,
  sectionApplication: 4,
  interfaceName: 2,
  interfaceDescription: 3,
  interfaceTimeResolution: 9,
  interfaceTimeOffset: 14,
} as const

export const BYTE_ORDER_MAGIC = 0x1a2b_3c4d

export function padded(length: number): number {
  return (length + 3) & ~3
}
