import type { Controller, PluginFactory } from '@podfabric/cni'
import { describe, expect, it } from 'vitest'
import { dummyPlugin } from './fixtures/dummy-plugin.ts'
import { hostLinks, list, testNode } from './fixtures/node.ts'

/** Plugins whose controllers write down what happens to them, and fail where they are told to. */
function controlled(seen: string[], fails: readonly string[] = []): Readonly<Record<string, PluginFactory>> {
  const make =
    (type: string): PluginFactory =>
    (context) => {
      const controller = (): Controller => ({
        async start() {
          seen.push(`start ${type}`)
          if (fails.includes(`start ${type}`)) throw new Error(`${type} has no underlay`)
        },
        async stop() {
          seen.push(`stop ${type}`)
          if (fails.includes(`stop ${type}`)) throw new Error(`${type} hangs`)
        },
        status: () => ({ ready: true, message: `${type} is fine` }),
      })
      return { ...dummyPlugin(type)(context), controller }
    }
  return { one: make('one'), two: make('two'), dummy: dummyPlugin('dummy') }
}

const three = list({ type: 'one' }, { type: 'dummy' }, { type: 'two' })

describe('start', () => {
  it('starts the controllers in the order of the list, and stop stops them in reverse', async () => {
    const seen: string[] = []
    const { agent } = testNode({ plugins: controlled(seen) })
    await agent.start(three)
    expect(seen).toEqual(['start one', 'start two'])
    expect(agent.status()).toEqual([
      { network: 'net', plugin: 'one', ready: true, message: 'one is fine' },
      { network: 'net', plugin: 'two', ready: true, message: 'two is fine' },
    ])
    await agent.stop()
    expect(seen.slice(2)).toEqual(['stop two', 'stop one'])
    expect(agent.status()).toEqual([])
  })

  it('stops what it has started when a controller does not start, and can be called again then', async () => {
    const seen: string[] = []
    const fails = ['start two']
    const { agent } = testNode({ plugins: controlled(seen, fails) })
    await expect(agent.start(three)).rejects.toThrow('network net on node node-1: two has no underlay')
    expect(seen).toEqual(['start one', 'start two', 'stop one'])
    expect(agent.status()).toEqual([])
    fails.length = 0
    await agent.start(three)
    expect(agent.status()).toHaveLength(2)
  })

  it('refuses a network that is started, or being started', async () => {
    const { agent } = testNode({ plugins: controlled([]) })
    const [first, second] = await Promise.allSettled([agent.start(three), agent.start(three)])
    expect(first.status).toBe('fulfilled')
    expect(second).toMatchObject({ reason: { code: 'CNI_INVALID_NETWORK_CONFIG' } })
    await expect(agent.start(three)).rejects.toThrow('network net is started already on node node-1')
  })

  it('names a plugin that is not there, and those that are', async () => {
    const { agent } = testNode()
    await expect(agent.start(list({ type: 'calico' }))).rejects.toThrow(
      'there is no plugin calico; there are dummy, other',
    )
    await expect(agent.start(list({ type: 'constructor' }))).rejects.toMatchObject({
      code: 'CNI_INVALID_NETWORK_CONFIG',
    })
  })

  it('reads the configuration of plugins without a controller too', async () => {
    const seen: string[] = []
    const { agent } = testNode({ plugins: controlled(seen) })
    const wrong = list({ type: 'one' }, { type: 'dummy', fail: 'yes' })
    await expect(agent.start(wrong)).rejects.toThrow('fail: expected true or false, found "yes"')
    expect(seen).toEqual([])
  })

  it('runs the controller of the same plugin that serves the verbs', async () => {
    let made = 0
    const counted: PluginFactory = (context) => {
      // A factory is asked once for its name, with a context that must not be touched.
      if (context.node.name === 'node-1') made++
      const controller: Controller = {
        start: async () => undefined,
        stop: async () => undefined,
        status: () => ({ ready: true, message: '' }),
      }
      return { ...dummyPlugin('dummy')(context), controller: () => controller }
    }
    const { agent } = testNode({ plugins: { dummy: counted } })
    await agent.start(list())
    await agent.runtime.status(list())
    expect(made).toBe(1)
  })
})

describe('stop', () => {
  it('stops all, then says what failed', async () => {
    const seen: string[] = []
    const { agent } = testNode({ plugins: controlled(seen, ['stop two']) })
    await agent.start(three)
    await expect(agent.stop()).rejects.toMatchObject({ errors: [{ message: 'two hangs' }] })
    expect(seen).toContain('stop one')
  })
})

describe('the runtime of an agent', () => {
  it('takes a sandbox through ADD, CHECK and DEL on the node’s kernel and leaves nothing', async () => {
    const { agent, kernel, store } = testNode()
    const netns = await kernel.netns.create('pod')
    const sandbox = { containerId: 'c1', ifName: 'eth0', netns: netns.path }
    const result = await agent.runtime.add(list(), sandbox)
    expect(result.interfaces).toEqual([{ name: 'eth0', sandbox: netns.path }])
    expect(await hostLinks(kernel)).toHaveLength(1)
    await agent.runtime.check(list(), sandbox)
    await agent.runtime.del(list(), sandbox)
    expect(await hostLinks(kernel)).toEqual([])
    expect((await store.list('')).entries).toEqual([])
  })

  it('keeps two plugins of one list that both attach apart', async () => {
    const { agent, kernel, store } = testNode()
    const both = list({ type: 'dummy' }, { type: 'other', chained: true })
    const netns = await kernel.netns.create('pod')
    const sandbox = { containerId: 'c1', ifName: 'eth0', netns: netns.path }
    await agent.runtime.add(both, sandbox)
    expect(await hostLinks(kernel)).toHaveLength(2)
    await agent.runtime.check(both, sandbox)
    await agent.runtime.del(both, sandbox)
    expect(await hostLinks(kernel)).toEqual([])
    expect((await store.list('')).entries).toEqual([])
  })

  it('collects what no attachment of the node stands for', async () => {
    const { agent, kernel } = testNode()
    const netns = await kernel.netns.create('pod')
    const sandbox = { ifName: 'eth0', netns: netns.path }
    await agent.runtime.add(list(), { ...sandbox, containerId: 'lost' })
    const other = await kernel.netns.create('other')
    await agent.runtime.add(list(), { ifName: 'eth0', netns: other.path, containerId: 'kept' })
    await agent.runtime.gc(list(), [{ containerId: 'kept', ifName: 'eth0' }])
    expect(await hostLinks(kernel)).toHaveLength(1)
    expect(await agent.runtime.attachments('net')).toMatchObject([{ containerId: 'kept' }])
  })
})

describe('serve', () => {
  const env = { CNI_COMMAND: 'STATUS' }

  it('gives what the plugin printed', async () => {
    const { agent } = testNode()
    const stdin = JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'dummy', fail: true })
    const outcome = await agent.serve({ type: 'dummy', env, stdin })
    expect(outcome.exitCode).toBe(1)
    expect(JSON.parse(outcome.stdout)).toMatchObject({ code: 50, msg: 'told to fail' })
  })

  it('answers for a plugin that is not there, in the version that was asked for', async () => {
    const { agent } = testNode()
    const outcome = await agent.serve({ type: 'calico', env, stdin: '{"cniVersion":"1.0.0"}' })
    expect(JSON.parse(outcome.stdout)).toMatchObject({ code: 7, cniVersion: '1.0.0' })
    expect(outcome).toMatchObject({ exitCode: 1, stderr: '' })
  })

  it('answers for input that is no configuration', async () => {
    const { agent } = testNode()
    const outcome = await agent.serve({ type: 'dummy', env, stdin: '{' })
    expect(JSON.parse(outcome.stdout)).toMatchObject({ code: 6 })
  })
})
