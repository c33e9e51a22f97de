import { isCniVersion, isJsonObject } from '@podfabric/cni'
import { CaseFailure } from './failure.ts'
import type { Feature, Features } from './feature.ts'
import { documentOf } from './harness/exchange.ts'
import { hasSucceeded } from './harness/expectations.ts'
import { type Harness, openHarness } from './harness/harness.ts'
import { plainPlugin } from './harness/node.ts'
import { objectsIn } from './harness/objects.ts'
import type { WorldOf } from './harness/world.ts'
import type { Subject } from './subject.ts'

/** What the suite has found out about a subject. */
export interface Discovery {
  readonly features: Features
  readonly versions: readonly string[]
}

/** What one ADD showed. */
interface Trial {
  readonly interface: boolean
  readonly created: boolean
  readonly addresses: boolean
  readonly routes: boolean
  readonly ipam: boolean
}

/** A subject whose trial fails is taken for a plugin that makes interfaces and gives addresses: its cases then fail, as they must. */
const assumed: Trial = { interface: true, created: true, addresses: true, routes: true, ipam: false }

/** Asks the subject and tries it once, in a world of its own. */
export async function discover(subject: Subject, worldOf: WorldOf, seed: number): Promise<Discovery> {
  const world = await worldOf(seed)
  const blank = featuresOf(subject, [], assumed)
  const open = await openHarness({ subject, world, seed, nodes: 1, features: blank, versions: [] })
  try {
    const versions = await versionsOf(open.harness)
    const trial = await open.start().then(
      () => tried(open.harness).catch(unreadable),
      // Whoever needs the controllers will fail with the reason.
      () => assumed,
    )
    return { versions, features: featuresOf(subject, versions, trial) }
  } finally {
    await open[Symbol.asyncDispose]()
  }
}

async function versionsOf(t: Harness): Promise<readonly string[]> {
  const document = documentOf(
    await t.call(t.node, 'VERSION', {}, { stdin: JSON.stringify({ cniVersion: t.list.cniVersion }) }),
  )
  const listed = isJsonObject(document) ? document.supportedVersions : undefined
  const versions = Array.isArray(listed) ? listed.filter(isCniVersion) : []
  return versions.length > 0 ? versions : [t.list.cniVersion]
}

/** What it printed was no result: the cases will say so. */
function unreadable(error: unknown): Trial {
  if (error instanceof CaseFailure) return assumed
  throw error
}

async function tried(t: Harness): Promise<Trial> {
  const pod = await t.pod()
  const before = await pod.at.links.list()
  const routes = (await pod.at.routes.list()).length
  const exchange = await t.tryAdd(pod)
  const document = documentOf(exchange)
  if (!hasSucceeded(exchange) || document === undefined) return assumed
  const after = await pod.at.links.list()
  const own = (await pod.at.routes.list()).filter(({ protocol }) => protocol !== 2)
  const existed = before.some(({ name }) => name === t.ifName)
  const exists = after.some(({ name }) => name === t.ifName)
  const listed = (key: string) => Array.isArray(document[key]) && document[key].length > 0
  const outward = (address: string) => !/^(127\.|::1\/)/.test(address)
  const given = (await pod.at.addresses.list()).filter(
    ({ link, scope }) => link === t.ifName && scope !== 'link',
  )
  // One that is given and not reported counts too: its absence from the result is for the cases to find.
  const addressed = [...objectsIn(document.ips), ...given].some(({ address }) => outward(String(address)))
  const legacy = ['ip4', 'ip6'].some((key) => isJsonObject(document[key]))
  const ipam = listed('ips') && !listed('interfaces') && after.length === before.length
  return {
    ipam,
    interface: !ipam,
    // Where the interface was not made at all, it should have been.
    created: !ipam && !(existed && exists),
    addresses: addressed || legacy,
    routes: own.length > 0 && (await pod.at.routes.list()).length > routes,
  }
}

function featuresOf(subject: Subject, versions: readonly string[], trial: Trial): Features {
  const lists = (version: string) => versions.includes(version)
  const plugin = subject.kind === 'factory' ? plainPlugin(subject.factory) : undefined
  const verb = (name: 'gc' | 'status'): true | string => {
    if (!lists('1.1.0')) return 'it does not list version 1.1.0, with which the verb came'
    return plugin === undefined || plugin[name] !== undefined ? true : `its factory has no ${name}`
  }
  const others = subject.kind === 'factory' ? Object.values(subject.plugins ?? {}).map(plainPlugin) : []
  const controlled = [plugin, ...others].some((each) => each?.controller !== undefined)
  const because = (holds: boolean, reason: string): true | string => holds || reason
  const features: Record<Feature, true | string> = {
    interface: because(trial.interface, 'it attaches no interface'),
    'new-interface': because(
      trial.created,
      trial.interface ? 'it works on an interface that is there' : 'it attaches no interface',
    ),
    addresses: because(trial.addresses, 'it gives no addresses but those of localhost'),
    pod: because(trial.created && trial.addresses, 'it does not give an interface with an address'),
    routes: because(trial.routes && trial.interface, 'it makes no routes in the sandbox'),
    ipam: because(trial.ipam, 'it is no address management plugin'),
    check: because(
      versions.some((version) => !['0.1.0', '0.2.0', '0.3.0', '0.3.1'].includes(version)),
      'it lists no version from 0.4.0 on, with which CHECK came',
    ),
    gc: verb('gc'),
    'no-gc': because(
      lists('1.1.0') && plugin !== undefined && plugin.gc === undefined,
      'it has GC, lists no 1.1.0, or cannot be asked',
    ),
    status: verb('status'),
    'several-nodes': because(
      subject.multiNode ?? controlled,
      'it has no controller, and the subject does not claim several nodes',
    ),
    'small-pool': because(
      subject.small !== undefined,
      'the subject brings no configuration with few addresses',
    ),
    within: because(subject.kind === 'factory', 'an executable cannot be stopped between two of its steps'),
  }
  return features
}
