// The plugin to copy: a routed network. Every container gets a veth pair whose other end stays on the node; the node has
// one route to each container, and is its gateway. Read it from top to bottom, then change what the resources make.
import {
  type AddResult,
  attachmentsOf,
  CniError,
  cniVersions,
  codeOf,
  type Intent,
  inSandbox,
  inSandboxIfAny,
  ipamResource,
  linkName,
  mergeResults,
  onNode,
  type Plugin,
  type PluginContext,
  parseConfig,
  type Request,
  type Resource,
  type ResultInterface,
} from '@podfabric/cni'
import { addressOf, familyOf, ifAddressFrom, ip, prefix, prefixFrom } from '@podfabric/netaddr'
import * as v from 'valibot'

// A plugin's own keys are read by one schema; wrong ones are refused with a message that names the key.
const schema = v.object({
  ipam: v.object({ type: v.string() }),
  mtu: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1280), v.maxValue(65_535)), 1500),
})
type SampleConfig = v.InferOutput<typeof schema>

// The factory gets everything that the plugin may touch, and does nothing with it yet.
export default function sample(context: PluginContext): Plugin<SampleConfig> {
  // Attachments remember what was begun, so that DEL and GC find it after a crash.
  const attachments = attachmentsOf({ ...context, type: 'sample' })
  const resources = (request: PlannedRequest) => (intent: Intent) => plan(context, request, intent).resources

  return {
    type: 'sample',
    versions: cniVersions,
    example: {
      cniVersion: '1.0.0',
      name: 'example',
      type: 'sample',
      ipam: { type: 'host-local', subnet: '10.99.0.0/24' },
    },
    parse: (config) => parseConfig(schema, config),

    async add(request) {
      await inSandbox(context.kernel, request.netns, async () => undefined)
      let made: Plan | undefined
      const list = (intent: Intent) => {
        made = plan(context, request, intent)
        return made.resources
      }
      await attachments.add(request, list, {
        exists: ({ netns, ifName }) => hasLink(context, netns, ifName),
        signal: request.signal,
      })
      if (made === undefined) throw new TypeError('attaching succeeded without a plan')
      return mergeResults(request.prevResult, made.result())
    },
    check: (request) => attachments.check(request, resources(request)),
    del: (request) => attachments.del(request, resources(request)),
    async gc(request) {
      await attachments.gc(request.validAttachments, resources(request))
      await context.delegate(request.config.ipam.type).gc(request)
    },
    status: (request) => context.delegate(request.config.ipam.type).status(request),
  }
}

interface Plan {
  readonly resources: readonly Resource[]
  result(): AddResult
}

type PlannedRequest = Request<SampleConfig> & { readonly prevResult?: AddResult }

// What one attachment consists of, in the order in which it comes to be. The same list serves all verbs.
function plan({ kernel, delegate }: PluginContext, request: PlannedRequest, intent: Intent): Plan {
  const { mtu, ipam } = request.config
  const { ifName, netns = '' } = intent
  // A name that follows from the attachment alone is found again by whoever looks for it.
  const hostLink = linkName('smp', request.source.name, intent)
  const addresses = ipamResource(() => delegate(ipam.type), request, intent)
  const interfaces: ResultInterface[] = []
  // ADD has them from IPAM, CHECK from the result of ADD.
  const pods = () => (request.prevResult ?? addresses.result).ips.map(({ address }) => addressOf(address))

  const pair: Resource = {
    name: `veth pair ${hostLink}`,
    ensure: () =>
      inSandbox(kernel, netns, (sandbox, peer) =>
        onNode(kernel, async (node) => {
          await node.links.add({
            kind: 'veth',
            name: hostLink,
            up: true,
            mtu,
            peer: { name: ifName, netns: peer, mtu },
          })
          await sandbox.links.set(ifName, { up: true })
          const [outside, inside] = [await node.links.get(hostLink), await sandbox.links.get(ifName)]
          interfaces.push({ name: hostLink, mac: outside.mac, mtu })
          interfaces.push({ name: ifName, mac: inside.mac, mtu, sandbox: netns })
        }),
      ),
    verify: async () => {
      const up = await inSandbox(kernel, netns, async ({ links }) => (await links.get(ifName)).up)
      if (!up) throw new CniError('CNI_CHECK_FAILED', `${ifName} is down`)
    },
    // Its routes and addresses, and the container's end, go with it.
    remove: () =>
      onNode(kernel, async ({ links }) => {
        await links.delete(hostLink).catch((error: unknown) => {
          if (codeOf(error) !== 'ENODEV') throw error
        })
      }),
  }

  const routing: Resource = {
    name: 'routes',
    ensure: async () => {
      for (const pod of pods()) {
        const gateway = gateways[familyOf(pod)]
        const quiet = familyOf(pod) === 6 ? { noDad: true } : {}
        await onNode(kernel, async ({ addresses: node, routes, sysctl }) => {
          await node.add({ link: hostLink, address: ifAddressFrom(gateway.address), scope: 'link', ...quiet })
          await routes.add({ destination: prefixFrom(pod, gateway.bits), link: hostLink })
          await sysctl.set(gateway.forwarding, '1')
        })
        await inSandbox(kernel, netns, async ({ addresses: inside, routes }) => {
          await inside.add({ link: ifName, address: ifAddressFrom(pod), ...quiet })
          await routes.add({
            destination: gateway.everything,
            gateway: gateway.address,
            link: ifName,
            onlink: true,
          })
        })
      }
    },
    verify: async () => {
      const there = await onNode(kernel, async ({ routes }) => routes.list())
      for (const pod of pods()) {
        const destination = prefixFrom(pod, gateways[familyOf(pod)].bits)
        if (there.some((route) => route.destination === destination && route.link === hostLink)) continue
        throw new CniError('CNI_CHECK_FAILED', `there is no route to ${pod}`)
      }
    },
    remove: async () => undefined,
  }

  return {
    resources: [addresses, pair, routing],
    result: () => ({
      interfaces,
      ips: addresses.result.ips.map(({ address }) => ({
        address: ifAddressFrom(addressOf(address)),
        gateway: gateways[familyOf(addressOf(address))].address,
        interface: 1,
      })),
      routes: [],
    }),
  }
}

// The same address on the node's end of every pair: containers need no gateway of their own.
const gateways = {
  4: {
    address: ip('169.254.1.1'),
    bits: 32,
    everything: prefix('0.0.0.0/0'),
    forwarding: 'net.ipv4.ip_forward',
  },
  6: {
    address: ip('fe80::1'),
    bits: 128,
    everything: prefix('::/0'),
    forwarding: 'net.ipv6.conf.all.forwarding',
  },
} as const

async function hasLink({ kernel }: PluginContext, netns: string | undefined, name: string): Promise<boolean> {
  const links = (await inSandboxIfAny(kernel, netns, (sandbox) => sandbox.links.list())) ?? []
  return links.some((link) => link.name === name)
}
