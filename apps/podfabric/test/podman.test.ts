import { readdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { noPodman, type PodmanHost, podmanHost } from './fixtures/podman-host.ts'
import { traces } from './fixtures/traces.ts'

const reason = noPodman()
const title = `podman with our plugins installed${reason === undefined ? '' : ` (skipped: ${reason})`}`

/** A second network, as an administrator writes one. */
const second = {
  cniVersion: '1.0.0',
  name: 'second',
  plugins: [
    { type: 'bridge', bridge: 'cni1', isGateway: true, ipam: { type: 'host-local', subnet: '10.89.0.0/24' } },
  ],
}

describe.skipIf(reason !== undefined)(title, () => {
  it.each([
    ['without an agent', false],
    ['with the agent', true],
  ])(
    'starts, connects and removes real containers %s, and leaves nothing',
    { timeout: 120_000 },
    async (_, agent) => {
      const host = await podmanHost()
      onTestFinished(() => host.close())
      host.podfabric('install', '--plugin', 'bridge')
      writeFileSync(host.path('/etc/cni/net.d/20-second.conflist'), JSON.stringify(second))
      if (agent) await host.startAgent()
      const before = traces(host)

      for (const name of ['a', 'b']) {
        const rights = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024', '--cap-add', 'NET_RAW']
        host.podman('run', '--detach', '--name', name, ...rights, '--rootfs', host.rootfs, 'sleep', '600')
      }
      const addressOf = (name: string, link: string) =>
        /inet ([\d.]+)/.exec(host.podman('exec', name, 'ip', '-4', 'address', 'show', link))?.[1] ?? ''
      const [a, b] = [addressOf('a', 'eth0'), addressOf('b', 'eth0')]
      expect(new Set([a, b]).size).toBe(2)
      expect(host.podman('exec', 'a', 'ping', '-c', '1', '-w', '10', b)).toContain('1 packets received')

      for (const name of ['a', 'b']) host.podman('network', 'connect', 'second', name)
      expect(addressOf('b', 'eth1')).toMatch(/^10\.89\.0\./)
      expect(host.podman('exec', 'a', 'ping', '-c', '1', '-w', '10', addressOf('b', 'eth1'))).toContain(
        '1 packets received',
      )

      host.podman('rm', '--force', '--time', '0', 'a', 'b')
      expect(traces(host)).toEqual(before)
      host.podfabric('uninstall')
      expect(readdirSync(host.path('/opt/cni/bin'))).toEqual([])
      expect(readdirSync(host.path('/etc/cni/net.d'))).not.toContain('10-podfabric.conflist')
    },
  )

  it('publishes ports of containers, gives each once, and leaves nothing', { timeout: 120_000 }, async () => {
    const host = await podmanHost()
    onTestFinished(() => host.close())
    host.podfabric('install', '--plugin', 'bridge')
    await host.startAgent()
    const before = traces(host)
    writeFileSync(`${host.rootfs}/etc/hello`, 'hello from the container')

    const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024']
    const inNetworkOf = (name: string, script: string) =>
      host.run('nsenter', '--net', '--target', pidOf(host, name), 'timeout', '20', 'bash', '-c', script)
    const start = (name: string, ...ports: readonly string[]) => {
      host.podman(
        ...['run', '--detach', '--name', name, ...limits, ...ports.flatMap((port) => ['-p', port])],
        ...['--rootfs', host.rootfs, 'busybox', 'httpd', '-f', '-p', '80', '-h', '/etc'],
      )
      // podman tells that the server was started, not that it listens.
      inNetworkOf(name, 'until (exec 3<>/dev/tcp/127.0.0.1/80) 2>/dev/null; do :; done')
    }
    start('a', '8080:80', '127.0.0.1:8081:80')
    start('b', '8082:80')
    const page = (address: string, port: number) =>
      `exec 3<>/dev/tcp/${address}/${port}; printf 'GET /hello HTTP/1.0\r\n\r\n' >&3; timeout 5 cat <&3`
    for (const [address, port] of [
      ['127.0.0.1', 8080],
      ['10.88.0.1', 8080],
      ['127.0.0.1', 8081],
      ['127.0.0.1', 8082],
    ] as const) {
      expect(host.run('bash', '-c', page(address, port))).toContain('hello from the container')
    }
    expect(() => host.run('bash', '-c', page('10.88.0.1', 8081))).toThrow()
    // From one container to the other, and to itself, by the node's port.
    const from = (name: string) => inNetworkOf(name, page('10.88.0.1', 8080))
    expect(from('b')).toContain('hello from the container')
    expect(from('a')).toContain('hello from the container')

    host.podman('rm', '--force', '--time', '0', 'a')
    start('c', '8080:80')
    expect(host.run('bash', '-c', page('127.0.0.1', 8080))).toContain('hello from the container')
    host.podman('rm', '--force', '--time', '0', 'b', 'c')
    expect(traces(host)).toEqual(before)
    host.podfabric('uninstall')
    expect(readdirSync(host.path('/opt/cni/bin'))).toEqual([])
  })
})

function pidOf(host: PodmanHost, name: string): string {
  return host.podman('inspect', '--format', '{{.State.Pid}}', name).trim()
}
