import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ContainerdHost, containerdHost, image, noContainerd } from './fixtures/containerd-host.ts'
import type { Pod } from './fixtures/cri.ts'
import { traces } from './fixtures/traces.ts'

const reason = noContainerd()
const title = `containerd with our plugins installed${reason === undefined ? '' : ` (skipped: ${reason})`}`
const once = '1 packets received'

async function startedHost(): Promise<ContainerdHost> {
  const host = await containerdHost()
  onTestFinished(() => host.close())
  await host.startContainerd()
  return host
}

/** A sandbox with a container that sleeps. */
async function startedPod(
  { cri, cgroup }: ContainerdHost,
  name: string,
  rest: Partial<Pod> = {},
  command: readonly string[] = ['sleep', '600'],
) {
  const pod = { name, cgroup, ...rest }
  const sandbox = await cri.run(pod)
  const container = await cri.start(pod, sandbox, image, command)
  const [address = ''] = await cri.addresses(sandbox)
  return {
    sandbox,
    address,
    exec: (...command: string[]) => cri.exec(container, ...command),
    async remove() {
      await cri.stop(sandbox)
      await cri.remove(sandbox)
    },
  }
}

const ctrRun = ({ cgroup }: ContainerdHost, name: string, ...command: string[]) => [
  ...['run', '--rm', '--cni', '--snapshotter', 'native', '--cgroup', `${cgroup}/${name}`],
  ...[image, name, ...command],
]

describe.skipIf(reason !== undefined)(title, { timeout: 120_000 }, () => {
  describe.each([
    ['without an agent', false],
    ['with the agent', true],
  ])('%s', (_, withAgent) => {
    it('starts, connects and removes containers of ctr run --cni, and leaves nothing', async () => {
      const host = await startedHost()
      host.podfabric('install', '--plugin', 'bridge')
      if (withAgent) await host.startAgent()
      const before = traces(host)

      const a = await host.start(
        'ctr',
        ...ctrRun(host, 'a', 'sh', '-c', 'ip -4 address show eth0; exec sleep 600'),
      )
      await a.printed(/inet [\d.]+/)
      const [, address = ''] = /inet ([\d.]+)/.exec(a.output()) ?? []
      expect(host.ctr(...ctrRun(host, 'b', 'ping', '-c', '1', '-w', '10', address))).toContain(once)

      host.ctr('tasks', 'kill', '--signal', 'SIGKILL', 'a')
      await a.stopped()
      expect(traces(host)).toEqual(before)
    })

    it('starts, connects and removes pods that a kubelet asks for, and leaves nothing', async () => {
      const host = await startedHost()
      host.podfabric('install', '--plugin', 'bridge')
      if (withAgent) await host.startAgent()
      const before = traces(host)

      const [a, b] = [await startedPod(host, 'a'), await startedPod(host, 'b')]
      expect(await a.exec('ping', '-c', '1', '-w', '10', b.address)).toContain(once)
      expect(await b.exec('ping', '-c', '1', '-w', '10', a.address)).toContain(once)
      expect(await a.exec('ping', '-c', '1', '-w', '10', '127.0.0.1')).toContain(once)

      await host.cri.stop(a.sandbox)
      for (const pod of [a, b]) await pod.remove()
      expect(await host.cri.sandboxes()).toEqual([])
      expect(traces(host)).toEqual(before)
    })

    it('removes the pods of a containerd that was killed', async () => {
      const host = await containerdHost()
      onTestFinished(() => host.close())
      const containerd = await host.startContainerd()
      host.podfabric('install', '--plugin', 'bridge')
      if (withAgent) await host.startAgent()
      const before = traces(host)

      const pods = [await startedPod(host, 'a'), await startedPod(host, 'b')]
      await containerd.stop('SIGKILL')
      await host.startContainerd()
      for (const pod of pods) await pod.remove()
      expect(traces(host)).toEqual(before)
    })

    it('gives back the addresses of pods that a reboot ended', async () => {
      const host = await startedHost()
      host.podfabric('install', '--plugin', 'bridge')
      if (withAgent) await host.startAgent()
      const before = traces(host)

      const old = [await startedPod(host, 'a'), await startedPod(host, 'b')]
      await host.reboot()
      await host.startContainerd()
      if (withAgent) await host.startAgent()
      // As a kubelet does: the new pods first, then what is left of the old ones.
      const next = await startedPod(host, 'a-again')
      expect(old.map(({ address }) => address)).not.toContain(next.address)
      for (const pod of old) await pod.remove()
      const third = await startedPod(host, 'b-again')
      expect(await third.exec('ping', '-c', '1', '-w', '10', next.address)).toContain(once)
      for (const pod of [next, third]) await pod.remove()
      expect(traces(host)).toEqual(before)
    })
  })

  it('removes pods whose agent was started anew, and whose agent is gone', async () => {
    const host = await startedHost()
    host.podfabric('install', '--plugin', 'bridge')
    const before = traces(host)
    const agent = await host.startAgent()
    const [a, b] = [await startedPod(host, 'a'), await startedPod(host, 'b')]
    await agent.stop('SIGKILL')
    const again = await host.startAgent()
    await a.remove()
    await again.stop()
    const c = await startedPod(host, 'c')
    expect(await c.exec('ping', '-c', '1', '-w', '10', b.address)).toContain(once)
    await b.remove()
    await host.startAgent()
    await c.remove()
    expect(traces(host)).toEqual(before)
  })

  it('is ready for pods as long as there is a network list', async () => {
    const host = await startedHost()
    expect(await host.cri.networkReady()).toMatchObject({ ready: false })
    await expect(startedPod(host, 'early')).rejects.toThrow('cni plugin not initialized')
    host.podfabric('install', '--plugin', 'bridge')
    await until(host, true)
    const list = { cniVersion: '1.0.0', name: 'podfabric', plugins: [{ type: 'bridge', bridge: 'pods0' }] }
    writeFileSync(host.path('/etc/list.json'), JSON.stringify(list))
    host.podfabric('install', '--network', '/etc/list.json')
    expect(await host.cri.networkReady()).toMatchObject({ ready: true })
    host.podfabric('uninstall')
    await until(host, false)
  })

  it('is found by doctor where it looks in other folders', async () => {
    const host = await startedHost()
    host.podfabric('install', '--plugin', 'bridge')
    const found = () => {
      const { stdout } = host.attempt('doctor', '-o', 'json')
      const results: readonly { check: string; status: string; finding: string; fix?: string }[] =
        JSON.parse(stdout)
      return results.filter(({ check }) => check === 'runtime-folders')
    }
    expect(found()).toMatchObject([{ status: 'ok' }])
    const config = readFileSync(host.path('/etc/containerd/config.toml'), 'utf8')
    const elsewhere = config
      .replace('/opt/cni/bin', '/usr/lib/cni')
      .replace('version', 'disabled_plugins = ["cri"]\nversion')
    writeFileSync(host.path('/etc/containerd/config.toml'), elsewhere)
    expect(found()).toMatchObject([
      { status: 'warning', fix: expect.stringContaining('podfabric install --bin-dir /usr/lib/cni') },
      { status: 'warning', fix: expect.stringContaining('disabled_plugins') },
    ])
  })

  it('publishes the ports that a pod asks for, and leaves nothing', async () => {
    const host = await startedHost()
    host.podfabric('install', '--plugin', 'bridge')
    await host.startAgent()
    const before = traces(host)
    const ports = [{ container: 80, host: 8080 }]
    const serving = 'while :; do nc -l -p 80 -e echo served; done'
    const server = await startedPod(host, 'server', { ports }, ['sh', '-c', serving])
    const client = await startedPod(host, 'client')
    const gateway = server.address.replace(/\d+$/, '1')
    // The server needs a moment; the runtime's deadline is the limit.
    const asking = `until nc -w 1 ${gateway} 8080 </dev/null; do :; done`
    expect(await client.exec('sh', '-c', asking)).toContain('served')
    for (const pod of [server, client]) await pod.remove()
    expect(traces(host)).toEqual(before)
  })

  it('lets a pod on the node’s own network be', async () => {
    const host = await startedHost()
    host.podfabric('install', '--plugin', 'bridge')
    const before = traces(host)
    const pod = await startedPod(host, 'host', { hostNetwork: true })
    expect(pod.address).toBe('')
    expect(traces(host)).toEqual(before)
    await pod.remove()
    expect(traces(host)).toEqual(before)
  })
})

/** containerd watches its folder, and tells nobody when it has looked. */
async function until({ cri }: ContainerdHost, ready: boolean): Promise<void> {
  while ((await cri.networkReady()).ready !== ready);
}
