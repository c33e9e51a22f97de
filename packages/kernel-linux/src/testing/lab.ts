import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kernel, KernelError, type Namespace, type Operation, systemClock } from '@podfabric/kernel'
import type { Feature, Lab } from '@podfabric/kernel/testing'
import { ifAddress } from '@podfabric/netaddr'
import { linuxAvailable } from '../availability.ts'
import { HeldNamespaces } from '../held-namespace.ts'
import { koffiSyscalls } from '../koffi-syscalls.ts'
import { type LinuxKernel, linux } from '../linux.ts'
import { nftGeneration } from '../nft.ts'

/**
 * What of the contract this machine's kernel has: nftables may be missing from it. Where this process may not ask
 * (see `linuxAvailable`), nothing is taken to be missing.
 */
export function linuxFeatures(): readonly Feature[] {
  return !linuxAvailable().available || hasNftables() ? ['nft', 'conntrack'] : ['conntrack']
}

function hasNftables(): boolean {
  const own = new HeldNamespaces().own()
  try {
    nftGeneration(koffiSyscalls(), own.fd)
    return true
  } catch (error) {
    if (error instanceof KernelError && error.code === 'EOPNOTSUPP') return false
    throw error
  } finally {
    own.release()
  }
}

/**
 * Nodes as namespaces of this machine, joined by a bridge in one more; nothing outside of them is touched.
 * Needs what `linuxAvailable` asks for.
 */
export async function linuxLab(): Promise<Lab> {
  const directory = mkdtempSync(join(tmpdir(), 'kernel-lab-'))
  const machine = linux({ directory: join(directory, 'nodes') })
  const kernels: LinuxKernel[] = []

  const nodes = async (count: number): Promise<readonly Kernel[]> => {
    const segment = await machine.netns.create('segment')
    const wire = machine.in(segment)
    await must(wire, [
      { op: 'link.add', link: { kind: 'bridge', name: 'segment', up: true } },
      { op: 'sysctl.set', name: 'net.ipv6.conf.all.disable_ipv6', value: '1' },
    ])
    for (let i = 1; i <= count; i++) {
      const name = `node${i}`
      const netns = await machine.netns.create(name)
      const kernel = linux({ host: netns.path, directory: join(directory, name) })
      kernels.push(kernel)
      await must(wire, [
        {
          op: 'link.add',
          link: { kind: 'veth', name, bridge: 'segment', up: true, peer: { name: 'eth0', netns } },
        },
      ])
      const node = kernel.in(kernel.netns.host)
      await must(node, [
        { op: 'sysctl.set', name: 'net.ipv4.ip_forward', value: '0' },
        { op: 'sysctl.set', name: 'net.ipv6.conf.all.forwarding', value: '0' },
        { op: 'link.set', name: 'lo', change: { up: true } },
        // A node that forwards asks for neighbors from its link-local address: it is settled from the first packet on.
        { op: 'sysctl.set', name: 'net.ipv6.conf.eth0.accept_dad', value: '0' },
        { op: 'link.set', name: 'eth0', change: { up: true } },
        { op: 'address.add', address: { link: 'eth0', address: ifAddress(`192.168.50.${i}/24`) } },
        { op: 'address.add', address: { link: 'eth0', address: ifAddress(`fd50::${i}/64`), noDad: true } },
      ])
      await node[Symbol.asyncDispose]()
      await netns[Symbol.asyncDispose]()
    }
    await wire[Symbol.asyncDispose]()
    await segment[Symbol.asyncDispose]()
    return kernels
  }

  const close = async (): Promise<void> => {
    const errors: unknown[] = []
    const clear = async (kernel: LinuxKernel) => {
      for (const { name } of await kernel.netns.list()) {
        await kernel.netns.delete(name).catch((error: unknown) => errors.push(error))
      }
      await kernel[Symbol.asyncDispose]()
    }
    for (const kernel of kernels) await clear(kernel)
    await clear(machine)
    rmSync(directory, { recursive: true })
    if (errors.length > 0) throw new AggregateError(errors, 'namespaces are left over')
  }
  return { clock: systemClock, nodes, close }
}

async function must(namespace: Namespace, operations: readonly Operation[]): Promise<void> {
  for (const outcome of await namespace.apply(operations)) if (!outcome.ok) throw outcome.error
}
