import type { FoundAttachment, PluginFactory, RebuildRequest } from '@podfabric/cni'
import { memoryStore } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import { describe, expect, it } from 'vitest'
import { dummyPlugin } from './fixtures/dummy-plugin.ts'
import { testNode } from './fixtures/node.ts'

const lives: FoundAttachment = { containerId: 'c9', ifName: 'eth0', addresses: [], markedBy: ['dummy'] }
const stdin = JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'dummy' })

/** A plugin that writes down what it is asked. */
function recording(seen: string[], rebuild: (request: RebuildRequest) => Promise<void>) {
  const factory: PluginFactory = (context) => ({
    ...dummyPlugin('dummy')(context),
    async del() {
      seen.push('del')
    },
    async rebuild(request) {
      seen.push(`rebuild ${request.found.map(({ containerId }) => containerId)}`)
      await rebuild(request)
    },
  })
  return { dummy: factory }
}

const del = { type: 'dummy', env: { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0' }, stdin }
const status = { type: 'dummy', env: { CNI_COMMAND: 'STATUS' }, stdin }

describe('rebuilding', () => {
  it('comes once before the first call of a network, in one process of all that share the store', async () => {
    const store = memoryStore({ clock: manualClock() })
    const seen: string[] = []
    const plugins = recording(seen, async () => undefined)
    const evidence = async () => [lives]
    const first = testNode({ store, plugins, evidence })
    expect((await first.agent.serve(status)).exitCode).toBe(0)
    expect(seen).toEqual([])
    expect(
      (await Promise.all([first.agent.serve(del), first.agent.serve(del)])).map((o) => o.exitCode),
    ).toEqual([0, 0])
    const second = testNode({ store, plugins, evidence })
    expect((await second.agent.serve(del)).exitCode).toBe(0)
    expect(seen).toEqual(['rebuild c9', 'del', 'del', 'del'])
  })

  it('is waited for: until then, and where it failed, calls are to be made again later', async () => {
    const store = memoryStore({ clock: manualClock() })
    const seen: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    let fails = true
    const plugins = recording(seen, async () => {
      await promise
      if (fails) throw new Error('a namespace cannot be read')
    })
    const evidence = async () => [lives]
    const [one, other] = [testNode({ store, plugins, evidence }), testNode({ store, plugins, evidence })]
    const slow = one.agent.serve(del)
    await expect.poll(() => seen).toEqual(['rebuild c9'])
    const busy = await other.agent.serve(del)
    expect(JSON.parse(busy.stdout)).toMatchObject({ code: 11, details: 'another process does it' })
    resolve()
    expect(JSON.parse((await slow).stdout)).toMatchObject({ code: 11, details: 'a namespace cannot be read' })
    expect(seen).toEqual(['rebuild c9'])
    fails = false
    expect((await other.agent.serve(del)).exitCode).toBe(0)
    expect(seen).toEqual(['rebuild c9', 'rebuild c9', 'del'])
  })
})
