import type { AttachmentId } from './request.ts'

/**
 * The name of a host-side link: `prefix` and a digest of network, container and interface, 15 octets in all. The same
 * attachment has the same name always, so that DEL finds it when everything else is lost. Two attachments of a node share
 * one with a chance of 2^-50 or less; the link's alias says whose it is. `prefix` has 1 to 5 characters.
 */
export function linkName(prefix: string, network: string, { containerId, ifName }: AttachmentId): string {
  if (!/^[a-z][a-z0-9]{0,4}$/.test(prefix))
    throw new RangeError(`prefix ${JSON.stringify(prefix)} of a link name`)
  const digest = digest64(`${network}/${containerId}/${ifName}`).toString(36).padStart(13, '0')
  return prefix + digest.slice(digest.length - (15 - prefix.length))
}

const mask = 0xffff_ffff_ffff_ffffn

/** 64 bits of FNV-1a, finished as MurmurHash3 does, so that every bit of the text moves the last digits too. */
function digest64(text: string): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n
  for (const octet of new TextEncoder().encode(text)) {
    hash = ((hash ^ BigInt(octet)) * 0x100_0000_01b3n) & mask
  }
  hash = ((hash ^ (hash >> 33n)) * 0xff51_afd7_ed55_8ccdn) & mask
  hash = ((hash ^ (hash >> 33n)) * 0xc4ce_b9fe_1a85_ec53n) & mask
  return hash ^ (hash >> 33n)
}
