import { readdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Namespace } from '@podfabric/kernel'
import { ifAddress, ip, prefix } from '@podfabric/netaddr'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { linuxAvailable } from './availability.ts'
import { type LinuxKernel, linux } from './linux.ts'

const availability = linuxAvailable()
const title = 'the Linux kernel'

describe.skipIf(!availability.available)(
  availability.available ? title : `${title} (skipped: ${availability.reason})`,
  () => {
    let directory: string
    let kernel: LinuxKernel
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'kernel-linux-'))
      kernel = linux({ directory })
    })
    afterEach(async () => {
      for (const { name } of await kernel.netns.list()) await kernel.netns.delete(name)
      await kernel[Symbol.asyncDispose]()
      await rm(directory, { recursive: true })
    })

    const inPod = async (act: (at: Namespace) => Promise<void>): Promise<void> => {
      const pod = await kernel.netns.create('pod')
      const at = kernel.in(pod)
      try {
        await act(at)
      } finally {
        await at[Symbol.asyncDispose]()
        await pod[Symbol.asyncDispose]()
      }
    }

    it('refuses a path that is no network namespace, as a namespace and as the host', async () => {
      const file = join(directory, 'file')
      writeFileSync(file, '')
      for (const path of [file, '/proc/self/ns/uts']) {
        await expect(kernel.netns.open(path)).rejects.toMatchObject({ code: 'EINVAL' })
        expect(() => linux({ host: path })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
      }
      expect(() => linux({ host: join(directory, 'ghost') })).toThrow(
        expect.objectContaining({ code: 'ENOENT' }),
      )
    })

    it('keeps one descriptor of a namespace, however often it is opened, until the last lets go', async () => {
      const descriptors = () => readdirSync('/proc/self/fd').length
      const pod = await kernel.netns.create('pod')
      const before = descriptors()
      const again = await Promise.all(Array.from({ length: 9 }, () => kernel.netns.open(pod.path)))
      expect(again.map(({ id }) => id)).toEqual(again.map(() => pod.id))
      expect(descriptors()).toBe(before)
      for (const reference of again) await reference[Symbol.asyncDispose]()
      const at = kernel.in(pod)
      await expect(at.links.get('lo')).resolves.toMatchObject({ kind: 'loopback' })
      await at[Symbol.asyncDispose]()
      await pod[Symbol.asyncDispose]()
      expect(descriptors()).toBe(before - 1)
    })

    it('passes over files in its directory that are no namespaces, and takes their names away', async () => {
      writeFileSync(join(directory, 'stale'), '')
      expect(await kernel.netns.list()).toEqual([])
      await kernel.netns.delete('stale')
      await expect(kernel.netns.delete('stale')).rejects.toMatchObject({ code: 'ENOENT' })
    })

    it('leaves nothing behind when a namespace cannot be made', async () => {
      const missing = linux({ directory: '/proc/no/such/place' })
      await expect(missing.netns.create('pod')).rejects.toMatchObject({ code: 'ENOENT' })
      expect(await missing.netns.list()).toEqual([])
      await missing[Symbol.asyncDispose]()
    })

    it('is the namespace of the process when no host is given', async () => {
      const own = await kernel.netns.open('/proc/self/ns/net')
      expect(own.id).toBe(kernel.netns.host.id)
      await own[Symbol.asyncDispose]()
    })

    it('says what the kernel said', () =>
      inPod(async (at) => {
        const gateway = { destination: prefix('10.9.0.0/16'), gateway: ip('192.0.2.1') }
        await expect(at.routes.add(gateway)).rejects.toThrow(
          'ip route add 10.9.0.0/16 via 192.0.2.1: nexthop has invalid gateway (ENETUNREACH)',
        )
      }))

    it('reads no setting outside of the network', () =>
      inPod(async (at) => {
        for (const name of ['kernel.hostname', 'net.//./.kernel.hostname', 'net', '', 'net..']) {
          await expect(at.sysctl.get(name)).rejects.toMatchObject({
            code: expect.stringMatching(/ENOENT|EIO|EISDIR/),
          })
        }
      }))

    it('reaches a link with a dot in its name by a slash', () =>
      inPod(async (at) => {
        await at.links.add({ kind: 'bridge', name: 'br.0' })
        await at.sysctl.set('net.ipv4.conf.br/0.proxy_arp', '1')
        expect(await at.sysctl.get('net.ipv4.conf.br/0.proxy_arp')).toBe('1')
      }))

    it('does not block the event loop while a link is deleted', () =>
      inPod(async (at) => {
        await at.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
        let turns = 0
        let deleted = false
        const turn = () => {
          turns += 1
          if (!deleted) setImmediate(turn)
        }
        setImmediate(turn)
        await at.links.delete('v0')
        deleted = true
        // A request that is waited for in this thread would be answered before the loop turns at all.
        expect(turns).toBeGreaterThan(0)
        await expect(at.links.get('v1')).rejects.toMatchObject({ code: 'ENODEV' })
      }))

    const names = (count: number) => Array.from({ length: count }, (_, i) => `v${i}`)
    const pair = (name: string) => ({ kind: 'veth', name, peer: { name: `${name}p` } }) as const

    it('deletes many links at once, one by one and in one go', () =>
      inPod(async (at) => {
        for (const name of names(60)) await at.links.add(pair(name))
        await Promise.all(names(30).map((name) => at.links.delete(name)))
        const rest = names(60).slice(30)
        const outcomes = await at.apply(rest.map((name) => ({ op: 'link.delete', name })))
        expect(outcomes).toEqual(rest.map(() => ({ ok: true })))
        expect((await at.links.list()).map(({ name }) => name)).toEqual(['lo'])
      }))

    it('gives each deletion of many its own outcome', () =>
      inPod(async (at) => {
        for (const name of ['v0', 'v1', 'v2']) await at.links.add(pair(name))
        await at.links.add({ kind: 'bridge', name: 'br0' })
        await at.links.set('v2', { bridge: 'br0' })
        const wanted = ['v0', 'lo', 'v0p', 'ghost', 'v1', 'v1', 'br0', 'v2']
        const outcomes = await at.apply(wanted.map((name) => ({ op: 'link.delete', name })))
        const codes = ['ok', 'EOPNOTSUPP', 'ENODEV', 'ENODEV', 'ok', 'ENODEV', 'ok', 'ok']
        expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual(codes)
        expect((await at.links.list()).map(({ name }) => name)).toEqual(['lo'])
      }))

    it('frees the name of a link at once: one in its place is made while the kernel still waits', () =>
      inPod(async (at) => {
        for (let i = 0; i < 20; i++) {
          const outcomes = await at.apply([
            { op: 'link.add', link: { ...pair('v0'), alias: `round ${i}` } },
            { op: 'link.delete', name: 'v0' },
          ])
          expect(outcomes).toEqual([{ ok: true }, { ok: true }])
        }
        await expect(at.links.get('v0')).rejects.toMatchObject({ code: 'ENODEV' })
      }))

    it('deletes links for callers on several handles at once', () =>
      inPod(async (at) => {
        for (const name of names(40)) await at.links.add(pair(name))
        const pod = await kernel.netns.open(join(directory, 'pod'))
        await Promise.all(
          names(40).map(async (name) => {
            const handle = kernel.in(pod)
            await handle.links.delete(name)
            await handle[Symbol.asyncDispose]()
          }),
        )
        await pod[Symbol.asyncDispose]()
        expect((await at.links.list()).map(({ name }) => name)).toEqual(['lo'])
      }))

    it('applies hundreds of operations in order, each with its outcome', () =>
      inPod(async (at) => {
        await at.links.add({ kind: 'bridge', name: 'br0', up: true })
        const address = (i: number) => ifAddress(`10.9.${i >> 8}.${i & 255}/32`)
        const numbers = Array.from({ length: 400 }, (_, i) => i)
        const added = await at.apply(
          numbers.map((i) => ({
            op: 'address.add',
            // Every third was there before.
            address: { link: 'br0', address: address(i % 3 === 2 ? i - 1 : i) },
          })),
        )
        expect(added.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual(
          numbers.map((i) => (i % 3 === 2 ? 'EEXIST' : 'ok')),
        )
        const ours = (await at.addresses.list()).filter((row) => row.address.startsWith('10.9.'))
        expect(ours).toHaveLength(267)
      }))

    it('closes every descriptor that it opened', async () => {
      const open = () => readdirSync('/proc/self/fd').length
      const work = () =>
        inPod(async (at) => {
          await at.links.set('lo', { up: true })
          const stop = new AbortController()
          const changes = at.changes({ signal: stop.signal })
          const capture = await at.capture('lo')
          const udp = await at.sockets.udp()
          const listener = await at.sockets.listen({ address: ip('127.0.0.1') })
          const client = await at.sockets.connect(listener.local)
          const server = await listener.accept()
          await at.sockets.echo({ destination: ip('127.0.0.1') })
          await expect(at.sockets.udp({ address: ip('192.0.2.1') })).rejects.toMatchObject({
            code: 'EADDRNOTAVAIL',
          })
          await expect(at.capture('ghost')).rejects.toMatchObject({ code: 'ENODEV' })
          stop.abort()
          for await (const change of changes) expect(change).toBeDefined()
          for (const one of [capture, udp, client, server, listener]) await one.close()
          await kernel.netns.delete('pod')
        })
      await work()
      const before = open()
      for (let i = 0; i < 5; i++) await work()
      expect(open()).toBe(before)
    })

    it('refuses work on a handle or a reference that was disposed', async () => {
      const pod = await kernel.netns.create('pod')
      const at = kernel.in(pod)
      await at[Symbol.asyncDispose]()
      await pod[Symbol.asyncDispose]()
      const bad = { code: 'EBADF' }
      await expect(at.links.list()).rejects.toMatchObject(bad)
      await expect(at.links.delete('v0')).rejects.toMatchObject(bad)
      await expect(at.sockets.udp()).rejects.toMatchObject(bad)
      await expect(at.capture('lo')).rejects.toMatchObject(bad)
      await expect(at.conntrack.list()).rejects.toMatchObject(bad)
      expect(() => at.changes()).toThrow(expect.objectContaining(bad))
      expect(() => kernel.in(pod)).toThrow(expect.objectContaining(bad))
    })
  },
)
