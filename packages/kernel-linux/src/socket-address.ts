import { type Endpoint, KernelError } from '@podfabric/kernel'
import { ipFromBytes, ipToBytes } from '@podfabric/netaddr'
import { AF_INET, AF_INET6 } from './rtnetlink-address.ts'

/** struct sockaddr_in (16 octets) or sockaddr_in6 (28): family in the host's order, port in network order. */
export function socketAddress({ address, port }: Endpoint): Uint8Array {
  const v6 = address.includes(':')
  const bytes = new Uint8Array(v6 ? 28 : 16)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, v6 ? AF_INET6 : AF_INET, true)
  view.setUint16(2, port)
  ipToBytes(address, bytes, v6 ? 8 : 4)
  return bytes
}

/** EPROTO for another family. */
export function endpointOf(bytes: Uint8Array): Endpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const family = bytes.length < 2 ? 0 : view.getUint16(0, true)
  if (family === AF_INET && bytes.length >= 8)
    return { address: ipFromBytes(bytes, 4, 4), port: view.getUint16(2) }
  if (family === AF_INET6 && bytes.length >= 24) {
    return { address: ipFromBytes(bytes, 8, 6), port: view.getUint16(2) }
  }
  throw new KernelError(
    'EPROTO',
    'socket address',
    `the kernel sent ${bytes.length} octets of family ${family}`,
  )
}
