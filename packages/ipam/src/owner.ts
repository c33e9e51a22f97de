import { IpamError } from './ipam-error.ts'

/**
 * Who holds addresses: one interface of one container in one network. Whatever else needs an address (a tunnel device,
 * a gateway) takes a name of its own in the container's place.
 */
export interface Owner {
  /** The network's name: letters, digits, `_`, `.`, `-`, a letter or digit first, up to 128 characters. */
  readonly network: string
  /** As `network`, up to 200 characters. */
  readonly containerId: string
  /** 1 to 15 printable ASCII characters other than `/`, `:` and the space, and not `.` or `..`. */
  readonly ifName: string
}

const name = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/
const interfaceName = /^[!-.0-9;-~]{1,15}$/

/** Returns a copy of the owner, or throws IPAM_INVALID_OWNER. */
export function parseOwner({ network, containerId, ifName }: Owner): Owner {
  parseNetworkName(network)
  if (!isName(containerId, 200)) throw invalid('container id', containerId, `${nameRule}, at most 200`)
  if (!interfaceName.test(ifName) || ifName === '.' || ifName === '..') {
    throw invalid(
      'interface name',
      ifName,
      "1 to 15 printable ASCII characters without '/' and ':', not '.' or '..'",
    )
  }
  return { network, containerId, ifName }
}

/** Returns the network's name, or throws IPAM_INVALID_OWNER. */
export function parseNetworkName(network: string): string {
  if (!isName(network, 128)) throw invalid('network name', network, `${nameRule}, at most 128`)
  return network
}

/** Returns the node's name, or throws IPAM_INVALID_OWNER. */
export function parseNodeName(node: string): string {
  if (!isName(node, 253)) throw invalid('node name', node, `${nameRule}, at most 253`)
  return node
}

/** Whether it may be the name of a pool. */
export function isPoolName(text: string): boolean {
  return isName(text, 128)
}

/** For messages: `container abc, interface eth0, network blue`. */
export function describeOwner({ network, containerId, ifName }: Owner): string {
  return `container ${containerId}, interface ${ifName}, network ${network}`
}

const nameRule = "a letter or digit, then letters, digits, '_', '.' and '-'"

function isName(text: string, maxLength: number): boolean {
  return typeof text === 'string' && text.length <= maxLength && name.test(text)
}

function invalid(what: string, text: string, rule: string): IpamError {
  const quoted = JSON.stringify(text) ?? String(text)
  const shown = quoted.length > 80 ? `${quoted.slice(0, 80)}…` : quoted
  return new IpamError('IPAM_INVALID_OWNER', `invalid ${what} ${shown}: must be ${rule}`)
}
