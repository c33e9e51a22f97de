import { type Ip, isIp } from '@podfabric/netaddr'

/**
 * A file of the containernetworking host-local: its name is an address, its text who holds it. Observed of versions 1.1: the
 * container's id, CR LF, the interface's name. Before 0.8 the id alone, which stands for every interface of the container.
 */
export interface AddressFile {
  readonly address: Ip
  /** Missing when the text says nothing that could be a holder's name. */
  readonly holder?: { readonly containerId: string; readonly ifName: string }
}

/** In the place of an interface's name where the file has none. No interface is called so by any runtime. */
export const anyInterface = '?'

/** What the name of a file in the folder says. */
export function kindOfFile(name: string): 'address' | 'last' | 'lock' | 'unknown' {
  if (name === 'lock') return 'lock'
  if (/^last_reserved_ip\.\d{1,3}$/.test(name)) return 'last'
  return isIp(name) ? 'address' : 'unknown'
}

export function parseAddressFile(address: Ip, text: string): AddressFile {
  const [containerId = '', ifName = anyInterface, ...more] = text.trim().split('\r\n')
  if (more.length > 0 || !containerName.test(containerId) || !interfaceName.test(ifName)) return { address }
  if (ifName === '.' || ifName === '..') return { address }
  return { address, holder: { containerId, ifName } }
}

const containerName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/
const interfaceName = /^[!-.0-9;-~]{1,15}$/
