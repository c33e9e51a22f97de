import { formatCommand, isSameSetting, KernelError, type Operation, type Outcome } from '@podfabric/kernel'
import { prefixFamily } from '@podfabric/netaddr'
import { changeFdb, deleteFdb } from './fdb-operations.ts'
import { addAddress4, deleteAddress4, replaceAddress4 } from './ipv4-address.ts'
import { addAddress6, deleteAddress6, replaceAddress6 } from './ipv6-address.ts'
import { addLink, linkNamed, type Resolve, removeLink, setLink } from './link-operations.ts'
import { addNeighbor, deleteNeighbor, replaceNeighbor } from './neighbor-operations.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { addRoute, deleteRoute, replaceRoute } from './route-operations.ts'
import { addRule, deleteRule } from './rule-operations.ts'

/** Applies one operation; what it was refused for is its outcome. */
export function applyOperation(netns: NetworkNamespace, operation: Operation, resolve: Resolve): Outcome {
  try {
    perform(netns, operation, resolve, formatCommand(operation))
    return { ok: true }
  } catch (error) {
    if (error instanceof KernelError) return { ok: false, error }
    throw error
  }
}

function perform(netns: NetworkNamespace, operation: Operation, resolve: Resolve, command: string): void {
  switch (operation.op) {
    case 'link.add':
      return addLink(netns, operation.link, resolve, command)
    case 'link.set':
      return setLink(netns, operation.name, operation.change, resolve, command)
    case 'link.delete':
      return removeLink(netns, operation.name, command)
    case 'address.add':
    case 'address.replace':
    case 'address.delete':
      return performAddress(netns, operation, command)
    case 'route.add':
      return addRoute(netns, operation.route, command)
    case 'route.replace':
      return replaceRoute(netns, operation.route, command)
    case 'route.delete':
      return deleteRoute(netns, operation.route, command)
    case 'rule.add':
      return addRule(netns, operation.rule, command)
    case 'rule.delete':
      return deleteRule(netns, operation.rule, command)
    case 'neighbor.add':
      return addNeighbor(netns, operation.neighbor, command)
    case 'neighbor.replace':
      return replaceNeighbor(netns, operation.neighbor, command)
    case 'neighbor.delete':
      return deleteNeighbor(netns, operation.neighbor, command)
    case 'fdb.add':
      return changeFdb(netns, 'add', operation.entry, command)
    case 'fdb.replace':
      return changeFdb(netns, 'replace', operation.entry, command)
    case 'fdb.append':
      return changeFdb(netns, 'append', operation.entry, command)
    case 'fdb.delete':
      return deleteFdb(netns, operation.entry, command)
    case 'sysctl.set':
      if (operation.ifDiffers && isSameSetting(netns.sysctls.get(operation.name), operation.value)) return
      return netns.sysctls.set(operation.name, operation.value)
    case 'nft.apply':
      netns.netfilter.apply(operation.commands)
      return netns.rulesChanged()
  }
}

type AddressOperation = Extract<Operation, { readonly address: unknown }>

function performAddress(netns: NetworkNamespace, operation: AddressOperation, command: string): void {
  const device = linkNamed(netns, operation.address.link, command)
  const is4 = prefixFamily(operation.address.address) === 4
  switch (operation.op) {
    case 'address.add':
      return (is4 ? addAddress4 : addAddress6)(device, operation.address, command)
    case 'address.replace':
      return (is4 ? replaceAddress4 : replaceAddress6)(device, operation.address, command)
    case 'address.delete':
      return (is4 ? deleteAddress4 : deleteAddress6)(device, operation.address.address, command)
  }
}
