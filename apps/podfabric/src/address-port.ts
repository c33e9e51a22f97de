import { type Ip, isIp, parseIp } from '@podfabric/netaddr'
import { Failure } from './failure.ts'

/** `127.0.0.1:5353` or `[::1]:5353`; port 0 takes a free one. */
export function parseAddressPort(text: string): { readonly address: Ip; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2] ?? ''
  const port = Number(match?.[3])
  if (!match || !isIp(host) || port > 65_535) {
    throw new Failure('usage', `${text}: expected an address and a port such as 127.0.0.1:5353 or [::1]:5353`)
  }
  return { address: parseIp(host), port }
}
