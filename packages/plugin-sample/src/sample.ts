// The plugin to copy: a routed network. Every container gets a veth pair whose other end stays on the node; the node has
// one route to each container, and is its gateway. Read it from top to bottom, then change what the resources make.
import {
  type AddResult,
  type AttachmentPlan,
  attachmentsOf,
  CniError,
  cniVersions,
  codeOf,
  hasInterface,
  type Intent,
  type Ip,
  inSandbox,
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
import { ownedAlias, ownership } from '@podfabric/kernel'
import { addressOf, ifAddressFrom, ip, isV4, prefix, prefixFrom } from '@podfabric/netaddr'
import * as v from 'valibot'

// A plugin's own keys are read by one schema. What is wrong is refused, with a message that names the key.
const schema = v.object({
  ipam: v.object({ type: v.string() }),
  mtu: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(68), v.maxValue(65_535)), 1500),
})
type SampleConfig = v.InferOutput<typeof schema>

// The node's end of every pair has this address, so the containers need no subnet with a gateway.
const gateway = ip('169.254.1.1')
const everywhere = prefix('0.0.0.0/0')

// The factory gets all that the plugin may touch, and does nothing with it yet.
export default function sample(context: PluginContext): Plugin<SampleConfig> {
  // Attachments remember what was begun, so that DEL and GC find it after a crash. One list of resources serves all verbs.
  const attachments = attachmentsOf({ ...context, type: 'sample' })
  const resources = (request: SampleRequest) => (intent: Intent) => plan(context, request, intent).resources

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
      // Refused at once where there is no such namespace: then nothing was begun.
      await inSandbox(context.kernel, request.netns, async () => undefined)
      const made = await attachments.add(request, (intent) => plan(context, request, intent), {
        exists: ({ netns, ifName }) => hasInterface(context.kernel, netns, ifName),
        signal: request.signal,
      })
      // Plugins before this one may have made something too.
      return mergeResults(request.prevResult, made)
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

type SampleRequest = Request<SampleConfig> & { readonly prevResult?: AddResult }

function podsIn(result: AddResult | undefined): readonly Ip[] {
  const pods = (result?.ips ?? []).map(({ address }) => addressOf(address))
  if (pods.every(isV4)) return pods
  throw new CniError('CNI_INVALID_NETWORK_CONFIG', 'ipam: this network is for IPv4 only')
}

// What one attachment consists of, in the order in which it comes to be.
function plan({ kernel, delegate }: PluginContext, request: SampleRequest, intent: Intent): AttachmentPlan {
  const { mtu, ipam } = request.config
  const { ifName, netns = '' } = intent
  // A name that follows from the attachment alone is found again by whoever looks for it.
  const outer = linkName('smp', request.source.name, intent)
  // Marks tell what is ours from what others have on the node.
  const alias = ownedAlias(`sample/${request.source.name}`)
  const protocol = ownership.routeProtocol
  const addresses = ipamResource(() => delegate(ipam.type), request, intent)
  const interfaces: ResultInterface[] = []

  const pair: Resource = {
    name: `veth pair ${outer}`,
    ensure: () =>
      inSandbox(kernel, netns, (container, peer) =>
        onNode(kernel, async (node) => {
          const inner = { name: ifName, netns: peer, mtu }
          await node.links.add({ kind: 'veth', name: outer, alias, up: true, mtu, peer: inner })
          await container.links.set(ifName, { up: true })
          const { mac } = await container.links.get(ifName)
          interfaces.push({ name: outer, mtu }, { name: ifName, mac, mtu, sandbox: netns })
        }),
      ),
    verify: () =>
      inSandbox(kernel, netns, async ({ links }) => {
        if (!(await links.get(ifName)).running) throw new CniError('CNI_CHECK_FAILED', `${ifName} is down`)
      }),
    // Both ends, their addresses and their routes go with one of them. Gone already is fine.
    remove: () => onNode(kernel, ({ links }) => links.delete(outer).catch(unless('ENODEV'))),
  }

  const routes: Resource = {
    name: 'routes',
    async ensure() {
      for (const pod of podsIn(addresses.result)) {
        await onNode(kernel, async (node) => {
          await node.addresses.add({ link: outer, address: ifAddressFrom(gateway), scope: 'link' })
          await node.routes.add({ destination: prefixFrom(pod, 32), link: outer, protocol })
          await node.sysctl.ensure('net.ipv4.ip_forward', '1')
        })
        await inSandbox(kernel, netns, async (container) => {
          await container.addresses.add({ link: ifName, address: ifAddressFrom(pod) })
          const route = { destination: everywhere, gateway, link: ifName, onlink: true, protocol }
          // The first interface of a container keeps the default route.
          await container.routes.add(route).catch(unless('EEXIST'))
        })
      }
    },
    async verify() {
      const outside = await onNode(kernel, (node) => node.routes.list())
      await inSandbox(kernel, netns, async (container) => {
        const inside = await container.addresses.list()
        for (const pod of podsIn(request.prevResult)) {
          const reached = outside.some((route) => route.destination === prefixFrom(pod, 32))
          const held = inside.some((row) => row.link === ifName && addressOf(row.address) === pod)
          if (!reached) throw new CniError('CNI_CHECK_FAILED', `the node has no route to ${pod}`)
          if (!held) throw new CniError('CNI_CHECK_FAILED', `${ifName} does not have ${pod}`)
        }
        // Another plugin may have changed where it leads (SPEC 1.1.0, CHECK), but not that there is one.
        const leads = (await container.routes.list()).some((route) => route.destination === everywhere)
        if (!leads) throw new CniError('CNI_CHECK_FAILED', 'the container has no default route')
      })
    },
    remove: async () => undefined,
  }

  const result = (): AddResult => ({
    interfaces,
    ips: podsIn(addresses.result).map((pod) => ({ address: ifAddressFrom(pod), gateway, interface: 1 })),
    routes: [{ destination: everywhere, gateway }],
  })
  return { resources: [addresses, pair, routes], result }
}

/** Takes an error with this code for a success. */
function unless(code: string): (error: unknown) => void {
  return (error) => {
    if (codeOf(error) !== code) throw error
  }
}
