import { ifAddress } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import { describe, expect, it } from 'vitest'
import { CniError } from '../error.ts'
import type { Exec } from '../exec.ts'
import { parseNetworkList } from '../network-list.ts'
import type { PluginFactory } from '../plugin.ts'
import { keptLog, type RecordedCall, type RecordingScript, recordingPlugin } from '../testing/index.ts'
import { inProcess } from './in-process.ts'
import { cniRuntime } from './runtime.ts'

const attachment = { containerId: 'c1', ifName: 'eth0', netns: '/run/netns/c1' }

function network(more: object = {}) {
  return parseNetworkList(
    JSON.stringify({
      cniVersion: '1.1.0',
      name: 'net',
      plugins: [
        { type: 'first', capabilities: { ips: true, mac: false }, own: { big: 1 } },
        { type: 'second', capabilities: { portMappings: true } },
      ],
      ...more,
    }),
  )
}

function address(last: number): NonNullable<RecordingScript['result']> {
  return (request) => ({
    interfaces: [],
    ips: [...(request.prevResult?.ips ?? []), { address: ifAddress(`10.0.0.${last}/24`) }],
    routes: [],
  })
}

function world(scripts: { first?: RecordingScript; second?: RecordingScript } = {}) {
  const calls: RecordedCall[] = []
  const wire: { type: string; env: Readonly<Record<string, string>>; stdin: string }[] = []
  const clock = manualClock()
  const store = memoryStore({ clock })
  const { log, logged } = keptLog()
  const plugins: Record<string, PluginFactory> = {
    first: recordingPlugin('first', calls, { result: address(1), ...scripts.first }),
    second: recordingPlugin('second', calls, { result: address(2), ...scripts.second }),
  }
  const inner = inProcess({
    plugins,
    context: () => ({ kernel: {} as never, store, clock, log, random: () => 0, node: { name: 'n' } }),
  })
  const exec: Exec = {
    run(type, env, stdin, options) {
      wire.push({ type, env, stdin })
      return inner.run(type, env, stdin, options)
    },
  }
  const runtime = cniRuntime({ exec, store, log })
  const sequence = () => calls.map(({ command, type }) => `${command} ${type}`)
  return { runtime, calls, wire, store, logged, sequence }
}

describe('a runtime', () => {
  it('calls plugins in order, hands on results, and DELs in reverse with the final one', async () => {
    const { runtime, sequence, calls } = world()
    const result = await runtime.add(network(), attachment)
    expect(result.ips.map((each) => each.address)).toEqual(['10.0.0.1/24', '10.0.0.2/24'])
    await runtime.check(network(), attachment)
    await runtime.del(network(), attachment)
    expect(sequence()).toEqual([
      'ADD first',
      'ADD second',
      'CHECK first',
      'CHECK second',
      'DEL second',
      'DEL first',
    ])
    expect(calls[0]?.request).not.toHaveProperty('prevResult')
    expect(calls[1]?.request).toMatchObject({ prevResult: { ips: [{ address: '10.0.0.1/24' }] } })
    for (const { request } of calls.slice(2)) expect(request).toMatchObject({ prevResult: result })
    expect(await runtime.attachments('net')).toEqual([])
  })

  it('puts its own keys into a plugin object, and leaves the author the others', async () => {
    const { runtime, wire } = world()
    const capabilityArgs = { ips: ['10.0.0.9'], mac: 'aa:bb:cc:dd:ee:ff', portMappings: [{ hostPort: 80 }] }
    await runtime.add(network(), { ...attachment, capabilityArgs, args: { K8S_POD_NAME: 'p' } })
    expect(JSON.parse(wire[0]?.stdin ?? '')).toEqual({
      type: 'first',
      own: { big: 1 },
      cniVersion: '1.1.0',
      name: 'net',
      runtimeConfig: { ips: ['10.0.0.9'] },
    })
    expect(JSON.parse(wire[1]?.stdin ?? '')).toMatchObject({
      runtimeConfig: { portMappings: [{ hostPort: 80 }] },
    })
    expect(wire[0]?.env).toEqual({
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: '/run/netns/c1',
      CNI_IFNAME: 'eth0',
      CNI_ARGS: 'K8S_POD_NAME=p',
      CNI_PATH: '',
    })
    // CHECK and DEL come with what ADD came with.
    await runtime.check(network(), { containerId: 'c1', ifName: 'eth0' })
    await runtime.del(network(), { containerId: 'c1', ifName: 'eth0' })
    for (const { env, stdin } of wire.slice(2)) {
      expect(env.CNI_ARGS).toBe('K8S_POD_NAME=p')
      expect(stdin).toContain('runtimeConfig')
    }
  })

  it('does not let an author speak for the runtime', async () => {
    const { runtime, wire } = world()
    const plugins = [{ type: 'first', runtimeConfig: { ips: [] }, prevResult: {}, 'cni.dev/x': 1, keep: 1 }]
    await runtime.add(network({ plugins }), attachment)
    expect(Object.keys(JSON.parse(wire[0]?.stdin ?? '') as object).sort()).toEqual([
      'cniVersion',
      'keep',
      'name',
      'type',
    ])
  })

  it('stops at the first failure of ADD, and leaves DEL to its caller', async () => {
    const failing: RecordingScript = {
      before: ({ command }) => {
        if (command === 'ADD') throw new CniError('CNI_ADDRESSES_EXHAUSTED', 'none left')
      },
    }
    const { runtime, sequence } = world({ first: failing })
    await expect(runtime.add(network(), attachment)).rejects.toMatchObject({
      code: 'CNI_ADDRESSES_EXHAUSTED',
      number: 101,
      message: 'first ADD: none left',
    })
    expect(sequence()).toEqual(['ADD first'])
    expect(await runtime.attachments('net')).toHaveLength(1)
    await runtime.del(network(), attachment)
    expect(sequence()).toEqual(['ADD first', 'DEL second', 'DEL first'])
  })

  it('undoes a failed ADD over the whole list, and tells ADD’s error with what DEL failed with', async () => {
    const { runtime, sequence, calls } = world({
      first: {
        before: ({ command }) => {
          if (command === 'DEL') throw new Error('stuck')
        },
      },
      second: {
        before: ({ command }) => {
          if (command === 'ADD') throw new Error('broken')
        },
      },
    })
    await expect(runtime.addOrUndo(network(), attachment)).rejects.toMatchObject({
      message: 'second ADD: broken',
      details: expect.stringContaining('DEL failed too: first DEL: stuck'),
    })
    expect(sequence()).toEqual(['ADD first', 'ADD second', 'DEL second', 'DEL first'])
    expect(calls[2]?.request).not.toHaveProperty('prevResult')
    expect(await runtime.attachments('net')).toHaveLength(1)
  })

  it('spares DEL where the first plugin says that the container is unknown', async () => {
    const { runtime, sequence } = world({
      first: {
        before: () => {
          throw new CniError('CNI_UNKNOWN_CONTAINER', 'who?')
        },
      },
    })
    await expect(runtime.addOrUndo(network(), attachment)).rejects.toMatchObject({ number: 3 })
    expect(sequence()).toEqual(['ADD first'])
    expect(await runtime.attachments('net')).toEqual([])
  })

  it('refuses ADD of what is attached, CHECK of what is not, and both change nothing', async () => {
    const { runtime, sequence } = world()
    await expect(runtime.check(network(), attachment)).rejects.toMatchObject({
      code: 'CNI_UNKNOWN_CONTAINER',
    })
    await runtime.add(network(), attachment)
    await expect(runtime.addOrUndo(network(), attachment)).rejects.toMatchObject({
      code: 'CNI_INTERFACE_EXISTS',
    })
    expect(sequence()).toEqual(['ADD first', 'ADD second'])
    await runtime.add(network(), { ...attachment, ifName: 'eth1' })
    expect(await runtime.attachments('net')).toHaveLength(2)
  })

  it('honours disableCheck and disableGC, and what old versions do not have', async () => {
    const { runtime, sequence } = world()
    await runtime.add(network(), attachment)
    const quiet = network({ disableCheck: true, disableGC: 'true' })
    await runtime.check(quiet, attachment)
    await runtime.gc(quiet, [])
    await runtime.status(network({ cniVersion: '1.0.0' }))
    await expect(runtime.check(network({ cniVersion: '0.3.1' }), attachment)).rejects.toMatchObject({
      number: 1,
    })
    await runtime.del(network({ cniVersion: '0.3.1' }), attachment)
    expect(sequence()).toEqual(['ADD first', 'ADD second', 'DEL second', 'DEL first'])
  })

  it('DELs what is not valid, then has every plugin collect, past failures', async () => {
    const { runtime, sequence, calls, wire } = world({
      first: {
        before: ({ command }) => {
          if (command === 'GC') throw new Error('lost')
        },
      },
    })
    await runtime.add(network(), attachment)
    await runtime.add(network(), { ...attachment, containerId: 'c2' })
    calls.length = 0
    const valid = [{ containerId: 'c2', ifName: 'eth0' }]
    await expect(runtime.gc(network(), valid)).rejects.toThrow('network net: first GC: lost')
    expect(sequence()).toEqual(['DEL second', 'DEL first', 'GC first', 'GC second'])
    expect(calls[3]?.request).toMatchObject({ validAttachments: valid })
    const last = JSON.parse(wire.at(-1)?.stdin ?? '') as Record<string, unknown>
    expect(last['cni.dev/valid-attachments']).toEqual([{ containerID: 'c2', ifname: 'eth0' }])
    expect(last['cni.dev/attachments']).toEqual(last['cni.dev/valid-attachments'])
    expect((await runtime.attachments('net')).map(({ containerId }) => containerId)).toEqual(['c2'])
  })

  it('detaches although the cached result is damaged', async () => {
    const { runtime, store, sequence, logged, calls } = world()
    await runtime.add(network(), attachment)
    await store.put('results/net/c1/eth0', '{"kind":')
    await runtime.del(network(), attachment)
    expect(sequence().slice(2)).toEqual(['DEL second', 'DEL first'])
    expect(calls[2]?.request).not.toHaveProperty('prevResult')
    expect(logged.map(({ level }) => level)).toEqual(['warn'])
    expect((await store.list('results/')).entries).toEqual([])
  })

  it('keeps networks and containers apart whose names run together', async () => {
    const { runtime } = world()
    await runtime.add(network({ name: 'a' }), { ...attachment, containerId: 'b-c' })
    await runtime.add(network({ name: 'a-b' }), { ...attachment, containerId: 'c' })
    expect(await runtime.attachments('a')).toHaveLength(1)
    expect(await runtime.attachments('a-b')).toHaveLength(1)
  })

  it('runs one call at a time for a container, others beside it, and GC alone', async () => {
    const running: string[] = []
    const overlaps = new Set<string>()
    let open: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const { runtime } = world({
      first: {
        async before(call) {
          const key = 'containerId' in call.request ? call.request.containerId : 'GC'
          for (const other of running) overlaps.add([other, key].sort().join(' beside '))
          running.push(key)
          if (call.command === 'ADD' && running.length === 2) open()
          if (call.command === 'ADD') await gate
          running.splice(running.indexOf(key), 1)
        },
      },
    })
    await Promise.all([
      runtime.add(network(), attachment),
      runtime.add(network(), { ...attachment, containerId: 'c2' }),
      runtime.del(network(), attachment),
      runtime.gc(network(), [attachment, { ...attachment, containerId: 'c2' }]),
      runtime.del(network(), { ...attachment, containerId: 'c2' }),
    ])
    expect([...overlaps]).toEqual(['c1 beside c2'])
  })

  it('takes a result in another version than it asked for, hands it on in its own, and says so', async () => {
    const { runtime, logged } = world()
    const exec: Exec = {
      run: async () => ({
        stdout: '{"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.2/24"}}',
        stderr: '',
        exitCode: 0,
      }),
    }
    const { log, logged: own } = keptLog()
    const odd = cniRuntime({ exec, store: memoryStore({ clock: manualClock() }), log })
    const result = await odd.add(network({ plugins: [{ type: 'x' }] }), attachment)
    expect(result.ips).toEqual([{ address: '10.0.0.2/24' }])
    expect(own.map(({ level }) => level)).toEqual(['warn'])
    expect(logged).toEqual([])
    expect(runtime).toBeDefined()
  })

  it.each([
    [{ stdout: 'panic!', stderr: '', exitCode: 2 }, 'CNI_PLUGIN_FAILED', 'panic!'],
    [{ stdout: '', stderr: 'segfault', exitCode: 139 }, 'CNI_PLUGIN_FAILED', 'segfault'],
    [{ stdout: '', stderr: '', exitCode: 0 }, 'CNI_DECODING_FAILURE', undefined],
    [{ stdout: '{}{}', stderr: '', exitCode: 0 }, 'CNI_DECODING_FAILURE', undefined],
    [{ stdout: '{"code":999,"msg":"bad"}', stderr: '', exitCode: 1 }, 'CNI_PLUGIN_FAILED', undefined],
    [{ stdout: '{"code":11,"msg":"later"}', stderr: '', exitCode: 0 }, 'CNI_TRY_AGAIN_LATER', undefined],
  ])('makes an error of %j', async (outcome, code, details) => {
    const runtime = cniRuntime({
      exec: { run: async () => outcome },
      store: memoryStore({ clock: manualClock() }),
      log: keptLog().log,
    })
    const error = await runtime.add(network(), attachment).catch((reason: unknown) => reason as CniError)
    expect(error).toMatchObject({ code })
    if (details !== undefined) expect(error).toMatchObject({ details: expect.stringContaining(details) })
    if (outcome.stdout.includes('999')) expect(error).toMatchObject({ number: 999 })
  })

  it('refuses names that could become paths, in every verb', async () => {
    const { runtime, calls } = world()
    const bad = { containerId: '../x', ifName: 'eth0', netns: '/n' }
    await expect(runtime.add(network(), bad)).rejects.toMatchObject({ number: 4 })
    await expect(runtime.del(network(), bad)).rejects.toMatchObject({ number: 4 })
    await expect(runtime.check(network(), bad)).rejects.toMatchObject({ number: 4 })
    expect(calls).toEqual([])
  })

  it('knows which versions plugins serve, and whether a list can run', async () => {
    const { runtime } = world({ second: { versions: ['0.4.0'] } })
    expect(await runtime.version('second')).toEqual(['0.4.0'])
    await expect(runtime.validate(network())).rejects.toThrow('plugin second does not serve version 1.1.0')
    await expect(runtime.version('third')).rejects.toThrow(
      'there is no plugin third; there are first, second',
    )
  })

  it('says STATUS of the first plugin that is not ready', async () => {
    const { runtime } = world({
      second: {
        before: ({ command }) => {
          if (command === 'STATUS') throw new CniError('CNI_NOT_AVAILABLE', 'the daemon is down')
        },
      },
    })
    await expect(runtime.status(network())).rejects.toMatchObject({ number: 50 })
  })
})
