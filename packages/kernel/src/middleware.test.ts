import { describe, expect, it } from 'vitest'
import { commandLog } from './command-log.ts'
import { KernelError } from './error.ts'
import { failNth, haltAt } from './faults.ts'
import type { Kernel } from './kernel.ts'
import { onlyFor, withMiddleware } from './middleware.ts'
import type { Netns } from './netns.ts'
import type { Middleware, Operation, Outcome } from './operation.ts'
import { type TableDriver, tablesOver } from './tables.ts'

/** A kernel that remembers what was applied, in batches as they came; deleting `ghost` is ENODEV. */
function recordingKernel() {
  const batches: Operation['op'][][] = []
  const netns: Netns = { id: 'host', path: '', async [Symbol.asyncDispose]() {} }
  const unasked = () => {
    throw new Error('nobody asked for this')
  }
  const driver: TableDriver = {
    async apply(operations) {
      batches.push(operations.map(({ op }) => op))
      return operations.map((operation): Outcome => {
        const isGhost = operation.op === 'link.delete' && operation.name === 'ghost'
        return isGhost
          ? { ok: false, error: new KernelError('ENODEV', 'ip link', 'no such link') }
          : { ok: true }
      })
    },
    link: unasked,
    links: async () => [],
    addresses: unasked,
    routes: unasked,
    rules: unasked,
    neighbors: unasked,
    fdb: unasked,
    lookup: unasked,
    sysctl: async (name) => `value of ${name}`,
    nft: unasked,
  }
  const kernel: Kernel = {
    netns: { host: netns, create: unasked, open: unasked, delete: unasked, list: unasked },
    in: () => ({
      ...tablesOver(driver),
      conntrack: { list: unasked, delete: unasked },
      sockets: { udp: unasked, listen: unasked, connect: unasked, echo: unasked },
      capture: unasked,
      changes: unasked,
      async [Symbol.asyncDispose]() {},
    }),
  }
  return { kernel, netns, batches }
}

const add = (name: string): Operation => ({ op: 'link.add', link: { kind: 'bridge', name } })
const remove = (name: string): Operation => ({ op: 'link.delete', name })

describe('the verbs', () => {
  it('apply one operation each and throw its error', async () => {
    const { kernel, netns, batches } = recordingKernel()
    const host = kernel.in(netns)
    await host.links.add({ kind: 'bridge', name: 'br0' })
    await host.links.set('br0', { up: true })
    await expect(host.links.delete('ghost')).rejects.toMatchObject({ code: 'ENODEV' })
    await host.sysctl.set('net.ipv4.ip_forward', '1')
    await host.nft.apply([])
    expect(batches).toEqual([['link.add'], ['link.set'], ['link.delete'], ['sysctl.set'], ['nft.apply']])
  })
})

describe('middleware', () => {
  it('for some kinds of operation leaves the others of a batch together', async () => {
    const { kernel, netns, batches } = recordingKernel()
    const seen: string[] = []
    const step: Middleware = async (operation, next) => {
      seen.push(operation.op)
      return next()
    }
    const host = withMiddleware(kernel, onlyFor(['sysctl.set'], step)).in(netns)
    const set: Operation = { op: 'sysctl.set', name: 'net.ipv4.ip_forward', value: '1' }
    expect(await host.apply([add('a'), remove('ghost'), set, set, add('b')])).toMatchObject([
      { ok: true },
      { ok: false },
      { ok: true },
      { ok: true },
      { ok: true },
    ])
    await host.apply([add('c'), add('d')])
    expect(batches).toEqual([
      ['link.add', 'link.delete'],
      ['sysctl.set'],
      ['sysctl.set'],
      ['link.add'],
      ['link.add', 'link.add'],
    ])
    expect(seen).toEqual(['sysctl.set', 'sysctl.set'])
    await host.sysctl.ensure('net.ipv4.ip_forward', '1')
    await host.links.add({ kind: 'bridge', name: 'e' })
    expect(seen).toHaveLength(3)
  })

  it('goes around every operation, the first outermost, verbs and batches alike', async () => {
    const { kernel, netns, batches } = recordingKernel()
    const seen: string[] = []
    const named =
      (name: string): Middleware =>
      async (operation, next, at) => {
        seen.push(`${name} ${operation.op} at '${at.netns}'`)
        const outcome = await next()
        seen.push(`${name} ${outcome.ok}`)
        return outcome
      }
    const host = withMiddleware(kernel, named('outer'), named('inner')).in(netns)
    await host.links.add({ kind: 'bridge', name: 'br0' })
    expect(seen).toEqual(["outer link.add at ''", "inner link.add at ''", 'inner true', 'outer true'])
    await host.apply([add('a'), remove('ghost'), add('b')])
    expect(batches).toEqual([['link.add'], ['link.add'], ['link.delete'], ['link.add']])
    expect(seen.filter((line) => line.startsWith('outer'))).toHaveLength(8)
  })

  it('keeps one outcome for each operation, and goes on after a failure', async () => {
    const { kernel, netns } = recordingKernel()
    const pass: Middleware = (_, next) => next()
    const outcomes = await withMiddleware(kernel, pass)
      .in(netns)
      .apply([add('a'), remove('ghost'), add('b')])
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true])
  })

  it('lets reading pass unchanged', async () => {
    const { kernel, netns } = recordingKernel()
    const refuse: Middleware = () => Promise.reject(new Error('not reached'))
    const host = withMiddleware(kernel, refuse).in(netns)
    expect(await host.sysctl.get('net.ipv4.ip_forward')).toBe('value of net.ipv4.ip_forward')
    expect(await host.links.list()).toEqual([])
    await expect(host.links.delete('a')).rejects.toThrow('not reached')
  })

  it('is the kernel itself when there is none', () => {
    const { kernel } = recordingKernel()
    expect(withMiddleware(kernel)).toBe(kernel)
  })
})

describe('a fault', () => {
  it('refuses the n-th operation with its errno, and only that one', async () => {
    for (const n of [1, 2, 3]) {
      const { kernel, netns, batches } = recordingKernel()
      const faulty = withMiddleware(kernel, failNth(n, 'ENOBUFS'))
      const first = await faulty.in(netns).apply([add('a'), add('b')])
      const second = await faulty.in(netns).apply([add('c'), add('d')])
      const codes = [...first, ...second].map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))
      expect(codes).toEqual([1, 2, 3, 4].map((i) => (i === n ? 'ENOBUFS' : 'ok')))
      expect(batches).toHaveLength(3)
    }
  })

  it('names the command that it refused', async () => {
    const { kernel, netns } = recordingKernel()
    const host = withMiddleware(kernel, failNth(1, 'EBUSY')).in(netns)
    await expect(host.links.delete('v0')).rejects.toThrow(
      'ip link delete dev v0: injected fault number 1 (EBUSY)',
    )
  })

  it('is counted from 1', () => {
    expect(() => failNth(0, 'EBUSY')).toThrow(RangeError)
    expect(() => failNth(1.5, 'EBUSY')).toThrow(RangeError)
    expect(() => haltAt(0, () => {})).toThrow(RangeError)
  })
})

describe('a halt', () => {
  it('lets what comes before pass, and holds back the n-th operation and all after it', async () => {
    const { kernel, netns, batches } = recordingKernel()
    let held = 0
    const returned: string[] = []
    const halted = withMiddleware(
      kernel,
      haltAt(2, () => void held++),
    ).in(netns)
    for (const name of ['a', 'b', 'c']) void halted.apply([add(name)]).then(() => returned.push(name))
    // The last of what these wait for, and more.
    await new Promise((resolve) => setImmediate(resolve))
    expect({ held, returned, reached: batches.length }).toEqual({ held: 2, returned: ['a'], reached: 1 })
  })
})

describe('a command log', () => {
  it('is a script of what was done, with what failed marked', async () => {
    const { kernel, netns } = recordingKernel()
    const lines: string[] = []
    const log = commandLog({ write: (line) => lines.push(line) })
    const host = withMiddleware(kernel, log.middleware).in(netns)
    await host.apply([add('br0'), remove('ghost')])
    await host.sysctl.set('net.ipv4.ip_forward', '1')
    expect(lines).toEqual([
      'ip link add name br0 type bridge',
      'ip link delete dev ghost  # ENODEV',
      'sysctl -w net.ipv4.ip_forward=1',
    ])
    expect(log.toString()).toBe(`${lines.join('\n')}\n`)
    expect(log.entries.map(({ outcome }) => outcome.ok)).toEqual([true, false, true])
  })
})
