import { type AttachmentId, CniError, KeyedMutex, type Log } from '@podfabric/cni'
import { adopt, beginAfter, disown, type Owner, reserve, unreserve } from '@podfabric/ipam'
import { type Ip, isIp } from '@podfabric/netaddr'
import type { Clock, Store } from '@podfabric/store'
import { type AddressFile, anyInterface, kindOfFile, parseAddressFile } from './address-file.ts'
import type { HostLocalConfig } from './config.ts'
import type { NodeFiles } from './node-files.ts'

/** Where the containernetworking host-local keeps a network's addresses unless `dataDir` says otherwise. */
export const defaultDataDir = '/var/lib/cni/networks'

export interface TakeoverOptions {
  readonly files: NodeFiles
  /** The one that the allocator has. */
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

/**
 * The addresses that another implementation gave before, as its files tell them. They are recorded as allocations of the containers
 * named there, so that they are given to nobody else while the file is there. Its folder is read again when names have come to it or
 * gone; as long as they have not, a call costs one look at the folder.
 */
export interface Takeover {
  /** Records what the folder holds now, and forgets what it held before and no longer does. Before every other call. */
  follow(config: HostLocalConfig, network: string): Promise<void>
  /** Takes away the files of one holder, under the folder's lock: of these addresses, or of any when none is known. */
  remove(config: HostLocalConfig, owner: Owner, addresses: readonly Ip[]): Promise<void>
  /** Takes away the files of all holders that are not valid. */
  collect(config: HostLocalConfig, network: string, valid: readonly AttachmentId[]): Promise<void>
}

export function takeover({ files, store, clock, log }: TakeoverOptions): Takeover {
  const turn = new KeyedMutex()

  /** Every file of an address. Says once for each reading what it does not understand. */
  const readAll = async (folder: string): Promise<readonly AddressFile[]> => {
    const found: AddressFile[] = []
    for (const name of (await files.list(folder)) ?? []) {
      const kind = kindOfFile(name)
      if (kind === 'unknown') log.warn(`${folder}/${name} is not a file of host-local; it is left alone`)
      if (kind !== 'address' || !isIp(name)) continue
      const text = await files.read(`${folder}/${name}`)
      if (text !== undefined) found.push(parseAddressFile(name, text))
    }
    return found
  }

  const heldBefore = async () =>
    (await store.list(heldPrefix)).entries.map(({ key, value }) => ({
      ip: key.slice(heldPrefix.length),
      value,
    }))

  const forget = async (ip: string): Promise<void> => {
    await store.delete(heldPrefix + ip)
    if (isIp(ip)) await unreserve(store, ip)
  }

  /** The folder as it is, with what decides what it means. */
  const markOf = (folder: string, stamp: string | undefined, { pools }: HostLocalConfig) =>
    JSON.stringify([folder, stamp ?? null, pools])

  const record = async (
    folder: string,
    found: readonly AddressFile[],
    { pools }: HostLocalConfig,
    network: string,
  ): Promise<void> => {
    const holders = Map.groupBy(found, ({ holder }) =>
      holder ? `${holder.containerId}/${holder.ifName}` : '',
    )
    for (const [name, held] of holders) {
      const holder = held[0]?.holder
      const addresses = held.map(({ address }) => address)
      if (holder === undefined) {
        for (const address of addresses) {
          log.warn(
            `${folder}/${address} does not name its holder; the address is not given while the file is there`,
          )
          await reserve(store, address, `${folder}/${address}`)
          await store.put(heldPrefix + address, '')
        }
        continue
      }
      const outcome = await adopt(store, { pools, clock }, { network, ...holder }, addresses)
      if (outcome === 'taken') {
        log.error(
          `${folder} says that container ${holder.containerId} holds ${addresses.join(', ')}, which is not free`,
        )
        continue
      }
      for (const address of addresses) await store.put(heldPrefix + address, name)
    }
  }

  /** Where the last address that was given is written, a pool goes on behind it. */
  const goOn = async (folder: string, { pools }: HostLocalConfig): Promise<void> => {
    for (const [index, { name }] of pools.entries()) {
      const text = (await files.read(`${folder}/last_reserved_ip.${index}`))?.trim()
      if (text !== undefined && isIp(text)) await beginAfter(store, name, text)
      else if (text) log.warn(`${folder}/last_reserved_ip.${index} holds no address; it is not looked at`)
    }
  }

  const release = async (network: string, name: string, ip: string): Promise<void> => {
    // What another process took away meanwhile, that implementation's DEL say, is free again.
    const [containerId, ifName] = name.split('/')
    if (containerId && ifName) await disown(store, { network, containerId, ifName })
    await forget(ip)
  }

  const under = <T>(folder: string, work: () => Promise<T>): Promise<T> =>
    files.locked(`${folder}/lock`, work).catch((cause: unknown) => {
      if (cause instanceof CniError) throw cause
      const details = cause instanceof Error ? cause.message : undefined
      throw new CniError('CNI_IO_FAILURE', `the addresses in ${folder} cannot be taken over`, {
        cause,
        details,
      })
    })

  /** Files that are to go; the folder counts as read afterwards if it did before. */
  const removeFiles = async (
    folder: string,
    config: HostLocalConfig,
    gone: readonly AddressFile[],
  ): Promise<void> => {
    if (gone.length === 0) return
    const mark = await store.get(markKey)
    const wasRead = mark?.value === markOf(folder, await files.stamp(folder), config)
    for (const { address } of gone) {
      await files.remove(`${folder}/${address}`)
      await forget(address)
    }
    if (wasRead) await store.put(markKey, markOf(folder, await files.stamp(folder), config))
  }

  return {
    follow: (config, network) =>
      turn.run('', async () => {
        const folder = folderOf(config, network)
        const seen = await files.stamp(folder)
        const mark = await store.get(markKey)
        if (seen === undefined && mark === undefined) return
        if (mark?.value === markOf(folder, seen, config)) return
        const read = async () => {
          const found = await readAll(folder)
          const there = new Set<string>(found.map(({ address }) => address))
          for (const { ip, value } of await heldBefore())
            if (!there.has(ip)) await release(network, value, ip)
          await record(folder, found, config, network)
          await goOn(folder, config)
          await store.put(markKey, markOf(folder, await files.stamp(folder), config))
        }
        await (seen === undefined ? read() : under(folder, read))
      }),

    remove: (config, owner, addresses) =>
      turn.run('', async () => {
        const folder = folderOf(config, owner.network)
        if ((await files.stamp(folder)) === undefined) return
        const isHis = ({ holder }: AddressFile) =>
          holder?.containerId === owner.containerId &&
          (holder.ifName === owner.ifName || holder.ifName === anyInterface)
        const given = await Promise.all(
          addresses.map(async (ip) => ({ ip, text: await files.read(`${folder}/${ip}`) })),
        )
        // An allocation of ours has no file: the usual case.
        if (addresses.length > 0 && given.every(({ text }) => text === undefined)) return
        await under(folder, async () => {
          const all = (await readAll(folder)).filter(isHis)
          const own = all.filter(({ holder }) => holder?.ifName === owner.ifName)
          await removeFiles(folder, config, own.length > 0 ? own : all)
        })
      }),

    collect: (config, network, valid) =>
      turn.run('', async () => {
        const folder = folderOf(config, network)
        if ((await files.stamp(folder)) === undefined) return
        const alive = new Set(
          valid.flatMap(({ containerId, ifName }) => [
            `${containerId}/${ifName}`,
            `${containerId}/${anyInterface}`,
          ]),
        )
        await under(folder, async () => {
          const stale = (await readAll(folder)).filter(
            ({ holder }) => holder && !alive.has(`${holder.containerId}/${holder.ifName}`),
          )
          await removeFiles(folder, config, stale)
        })
      }),
  }
}

const heldPrefix = 'files/held/'
const markKey = 'files/read'

function folderOf({ dataDir }: HostLocalConfig, network: string): string {
  return `${dataDir ?? defaultDataDir}/${network}`
}
