import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf, type FoundAttachment, findSandbox, type IfAddress, type Log } from '@podfabric/cni'
import { type LibcniAttachment, parseLibcniAttachment } from '@podfabric/cni/runtime'
import {
  type Kernel,
  type Link,
  type Namespace,
  type Netns,
  ownership,
  type VethLink,
} from '@podfabric/kernel'

/** Where libcni keeps what it remembers unless a runtime tells it otherwise. */
export const defaultCacheFolder = '/var/lib/cni'
/** The variable by which the environment names another. */
export const cacheVariable = 'PODFABRIC_CNI_CACHE'

export interface EvidenceOptions {
  readonly kernel: Kernel
  /** libcni's folder; its `results` is read. */
  readonly cacheFolder: string
  readonly log: Log
}

/** A file of libcni that is larger is no result. */
const largest = 1 << 20

/**
 * Finds what of a network lives on this machine without our own state: by links of the node that carry our mark
 * (`podfabric:<type>/<network>/<container id>/<interface>`), and by libcni's results whose interface is there. Namespaces are looked
 * for where the results say, among the bind mounts of this process' mount namespace, and those that processes live in. Changes
 * nothing. The kernel's and the file system's errors; a file that makes no sense is reported and passed over.
 */
export function nodeEvidence(
  options: EvidenceOptions,
): (network: string) => Promise<readonly FoundAttachment[]> {
  const { kernel, cacheFolder, log } = options
  return async (network) => {
    const remembered = await rememberedIn(join(cacheFolder, 'results'), network, log)
    const marked = await markedOn(kernel, network)
    const folders = [...remembered.values()].flatMap(({ netns }) => (netns ? [dirname(netns)] : []))
    const ends =
      marked.size > 0 ? await otherEnds(kernel, [...marked.values()], folders) : new Map<number, OtherEnd>()
    const found: FoundAttachment[] = []
    for (const name of new Set([...marked.keys(), ...remembered.keys()])) {
      const cached = remembered.get(name)
      const mark = marked.get(name)
      const end = mark && ends.get(mark.link.index)
      const seen = end ?? (cached && (await interfaceOf(kernel, cached)))
      // What the runtime remembers of a container that is gone.
      if (mark === undefined && seen === undefined) continue
      const { containerId, ifName } = mark ?? (cached as LibcniAttachment)
      const addresses = [...new Set([...(seen?.addresses ?? []), ...listedFor(cached)])]
      const netns = cached?.netns ?? end?.path
      if (addresses.length === 0) {
        log.error('an attachment lives whose addresses are not known: they may be given again', {
          network,
          containerId,
          ifName,
        })
      }
      const markedBy = mark ? [mark.type] : []
      found.push({ containerId, ifName, ...(netns !== undefined && { netns }), addresses, markedBy })
    }
    return found
  }
}

async function rememberedIn(
  folder: string,
  network: string,
  log: Log,
): Promise<ReadonlyMap<string, LibcniAttachment>> {
  const remembered = new Map<string, LibcniAttachment>()
  const names = await unlessMissing(() => readdir(folder), [])
  for (const name of names.filter((each) => each.startsWith(`${network}-`)).sort()) {
    const file = join(folder, name)
    try {
      const { size } = await stat(file)
      if (size > largest) throw new RangeError(`it has ${size} octets, more than ${largest}`)
      const attachment = parseLibcniAttachment(await readFile(file, 'utf8'))
      if (attachment.network !== network) continue
      if (attachment.damage) log.warn('a result of libcni cannot be read', { file, error: attachment.damage })
      remembered.set(nameOf(attachment), attachment)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') log.warn('a file of libcni is passed over', { file, error })
    }
  }
  return remembered
}

interface Marked {
  readonly type: string
  readonly containerId: string
  readonly ifName: string
  readonly link: Link
}

async function markedOn(kernel: Kernel, network: string): Promise<ReadonlyMap<string, Marked>> {
  const marked = new Map<string, Marked>()
  for (const link of await inNamespace(kernel, kernel.netns.host, (host) => host.links.list())) {
    const prefix = `${ownership.mark}:`
    if (!link.alias?.startsWith(prefix)) continue
    const [type, of, containerId, ifName, ...more] = link.alias.slice(prefix.length).split('/')
    if (of !== network || !type || !containerId || !ifName || more.length > 0) continue
    marked.set(nameOf({ containerId, ifName }), { type, containerId, ifName, link })
  }
  return marked
}

interface Seen {
  readonly addresses: readonly IfAddress[]
}

interface OtherEnd extends Seen {
  readonly path: string
}

/** How often namespaces are looked for: a list of mounts that changes while it is read may lack some. */
const passes = 5

/** The container's ends of the node's veth links, by the indexes of these. */
async function otherEnds(
  kernel: Kernel,
  marked: readonly Marked[],
  folders: readonly string[],
): Promise<ReadonlyMap<number, OtherEnd>> {
  const wanted = new Map(marked.map((each) => [each.link.index, each]))
  const ends = new Map<number, OtherEnd>()
  const seen = new Set([kernel.netns.host.id])
  const tried = new Set<string>()
  for (let pass = 0; pass < passes && ends.size < wanted.size; pass++) {
    for (const path of await namespacePaths(kernel, folders)) {
      if (tried.has(path) || ends.size === wanted.size) continue
      tried.add(path)
      const netns = await openIfThere(kernel, path)
      if (netns === undefined) continue
      try {
        if (seen.has(netns.id)) continue
        seen.add(netns.id)
        for (const [index, end] of await endsIn(kernel, netns, path, wanted)) ends.set(index, end)
      } finally {
        await netns[Symbol.asyncDispose]()
      }
    }
  }
  return ends
}

function endsIn(
  kernel: Kernel,
  netns: Netns,
  path: string,
  wanted: ReadonlyMap<number, Marked>,
): Promise<readonly (readonly [number, OtherEnd])[]> {
  return inNamespace(kernel, netns, async (namespace) => {
    const ends: (readonly [number, OtherEnd])[] = []
    for (const link of await namespace.links.list()) {
      if (link.kind !== 'veth') continue
      const mine = wanted.get(link.peerIndex)
      if (mine === undefined || mine.ifName !== link.name || !isPeer(mine.link, link)) continue
      ends.push([link.peerIndex, { path, addresses: await addressesOf(namespace, link.name) }])
    }
    return ends
  })
}

function isPeer(one: Link, other: VethLink): boolean {
  return one.kind === 'veth' && one.peerIndex === other.index && other.peerIndex === one.index
}

/** What lies beside namespaces that are known, bind mounts of namespaces, then the namespaces of processes, each of these once. */
async function namespacePaths(kernel: Kernel, folders: readonly string[]): Promise<readonly string[]> {
  const named = (await kernel.netns.list()).map(({ path }) => path)
  const beside: string[] = []
  for (const folder of new Set(folders)) {
    const names = await unlessMissing(() => readdir(folder), [])
    beside.push(...names.map((name) => join(folder, name)))
  }
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').flatMap((line) => {
    const [, , , root = '', point = ''] = line.split(' ')
    return line.includes(' - nsfs ') && root.startsWith('net:') ? [unescaped(point)] : []
  })
  const processes = new Map<string, string>()
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const path = `/proc/${id}/ns/net`
    const inode = await readlink(path).catch(unlessUnseen)
    if (inode !== undefined && !processes.has(inode)) processes.set(inode, path)
  }
  return [...new Set([...named, ...beside, ...mounts, ...processes.values()])]
}

/** A process may end meanwhile, or be another user's. */
function unlessUnseen(error: unknown): undefined {
  if (!['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) throw error
}

/** proc(5): white space and backslashes of a path are octal. */
function unescaped(point: string): string {
  return point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

async function openIfThere(kernel: Kernel, path: string): Promise<Netns | undefined> {
  try {
    return await kernel.netns.open(path)
  } catch (error) {
    const code = codeOf(error)
    // This process lacks something: what is there was not seen.
    if (code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM') throw error
    // Its process ended, it is no namespace, or another user's: none of our containers is there.
    return undefined
  }
}

/** The interface that a runtime remembers, where it is there. */
async function interfaceOf(
  kernel: Kernel,
  { netns: path, ifName }: LibcniAttachment,
): Promise<Seen | undefined> {
  const netns = await findSandbox(kernel, path)
  if (netns === undefined) return undefined
  try {
    return await inNamespace(kernel, netns, async (namespace) => {
      const links = await namespace.links.list()
      if (!links.some(({ name }) => name === ifName)) return undefined
      return { addresses: await addressesOf(namespace, ifName) }
    })
  } finally {
    await netns[Symbol.asyncDispose]()
  }
}

async function addressesOf(namespace: Namespace, link: string): Promise<readonly IfAddress[]> {
  const rows = await namespace.addresses.list()
  return rows.flatMap((row) => (row.link === link && row.scope !== 'link' ? [row.address] : []))
}

/** The result's addresses of this interface. */
function listedFor(cached: LibcniAttachment | undefined): readonly IfAddress[] {
  const { result, ifName } = cached ?? {}
  if (result === undefined) return []
  return result.ips.flatMap(({ address, interface: index }) => {
    const owner = index === undefined ? undefined : result.interfaces[index]
    return owner === undefined || owner.name === ifName ? [address] : []
  })
}

async function inNamespace<T>(
  kernel: Kernel,
  netns: Netns,
  work: (namespace: Namespace) => Promise<T>,
): Promise<T> {
  const namespace = kernel.in(netns)
  try {
    return await work(namespace)
  } finally {
    await namespace[Symbol.asyncDispose]()
  }
}

function nameOf({ containerId, ifName }: { readonly containerId: string; readonly ifName: string }): string {
  return `${containerId}/${ifName}`
}

async function unlessMissing<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return otherwise
    throw error
  }
}
