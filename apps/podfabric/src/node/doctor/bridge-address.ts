import { addressOf, isLinkLocal, prefixFamily } from '@podfabric/netaddr'
import { type Check, error, type Finding, orOk, unknown, warning } from './check.ts'

/** A bridge left by another network, or by this one with other addresses. */
export const bridgeAddress: Check = {
  id: 'bridge-address',
  title: 'the bridges have their own addresses',
  run({ host, hidden, networks }) {
    if (host === undefined) return [unknown(`not looked at: ${hidden}`)]
    const problems: Finding[] = []
    for (const { name, bridge } of networks) {
      const link = host.links.find((each) => each.name === bridge)
      if (link === undefined) continue
      if (link.kind !== 'bridge') {
        problems.push(
          error(
            `network ${name}: the link ${bridge} is a ${link.kind}`,
            `rename it, or write another "bridge" in the list`,
          ),
        )
        continue
      }
      const wanted = networks.filter((each) => each.bridge === bridge).flatMap(({ gateways }) => gateways)
      const there = host.addresses.flatMap(({ link: on, address }) => (on === bridge ? [address] : []))
      for (const address of there) {
        if (wanted.includes(address) || isLinkLocal(addressOf(address))) continue
        const own = wanted.filter((each) => prefixFamily(each) === prefixFamily(address))
        // A bridge that is no gateway says nothing about its addresses.
        if (own.length === 0) continue
        const found = `network ${name}: ${bridge} has ${address}, and should have ${own.join(', ')}`
        const fix = `ip address delete ${address} dev ${bridge}, or ip link delete ${bridge} when no pod uses it`
        problems.push(
          own.some((each) => there.includes(each)) ? warning(`${found} alone`, fix) : error(found, fix),
        )
      }
    }
    return orOk(problems, 'no bridge has an address of another network')
  },
}
