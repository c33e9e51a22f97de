import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readCapture } from '@podfabric/wire'
import { describe, expect, it } from 'vitest'
import { outcomeOf, podfabric, printed } from './fixtures/run-podfabric.ts'
import { twoPods } from './fixtures/test-lab.ts'

// Starting a process takes a while where many do.
describe('a cluster that is up', { timeout: 60_000 }, () => {
  it('answers commands until it is taken down, and leaves its log alone', async () => {
    const pf = podfabric()
    pf.write('pods.yaml', twoPods)
    const up = await pf.run('up', '-f', 'pods.yaml')
    expect(up).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/node-1 +Ready/) })
    expect(up.stderr).toContain(`PODFABRIC_AGENT=${join(pf.state, 'agent-NODE.sock')}`)
    expect(up.stderr).toContain('podfabric down')

    const modes = [pf.state, ...readdirSync(pf.state).map((name) => join(pf.state, name))].map(
      (path) => statSync(path).mode & 0o077,
    )
    expect(modes).toEqual(modes.map(() => 0))

    expect(await pf.run('ping', 'one', 'two')).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await pf.run('up', '-f', 'pods.yaml')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('a cluster is up already'),
    })
    expect(await pf.run('node', 'add')).toMatchObject({ exitCode: 0 })
    expect(existsSync(join(pf.state, 'agent-node-3.sock'))).toBe(true)
    expect(await pf.run('node', 'fail', 'node-3')).toMatchObject({ exitCode: 0 })
    expect(existsSync(join(pf.state, 'agent-node-3.sock'))).toBe(false)

    const { clusterId } = pf
    expect(await pf.run('down')).toEqual({ exitCode: 0, stdout: '', stderr: 'the cluster is down\n' })
    expect(readdirSync(pf.state)).toEqual(['cluster.log'])
    expect(readFileSync(join(pf.state, 'cluster.log'), 'utf8')).toMatch(/asked: ping one two\n/)
    expect(clusterId()).toBeGreaterThan(0)
    expect(await pf.run('ping', 'one', 'two')).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/^podfabric: no cluster is up .*start one: podfabric up -f PATH\n$/),
    })
  })

  it('is replaced after it was killed', async () => {
    const pf = podfabric()
    pf.write('pods.yaml', twoPods)
    await pf.run('up', '-f', 'pods.yaml')
    process.kill(pf.clusterId(), 'SIGKILL')
    expect(existsSync(join(pf.state, 'cluster.sock'))).toBe(true)
    expect(await pf.run('up', '-f', 'pods.yaml', '--plugin', 'sample')).toMatchObject({ exitCode: 0 })
    expect(await pf.run('get', 'pods', '-o', 'json')).toMatchObject({ exitCode: 0 })
    expect(await pf.run('down')).toMatchObject({ exitCode: 0 })
  })

  it('says loudly which service addresses nobody answers, and which pod is not ready', async () => {
    const pf = podfabric()
    const port = '{ containerPort: 80 }'
    pf.write(
      'odd.yaml',
      `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: twice }
spec: { containers: [{ name: a, image: i, ports: [${port}] }, { name: b, image: i, ports: [${port}] }] }
`,
    )
    const { exitCode, stderr } = await pf.run('up', '-f', 'odd.yaml')
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(
      /warning: NOTHING ANSWERS at the addresses of these services: web \(10\.96\.0\.\d\)/,
    )
    expect(stderr).toMatch(/warning: not settled after 600 s: pod default\/twice: .*EADDRINUSE/)
    expect(stderr.match(/container b did not start/g)).toHaveLength(1)
    expect((await pf.run('get', 'pods')).stdout).toMatch(/twice +no +ContainerFailed/)
    expect(await pf.run('down')).toMatchObject({ exitCode: 0 })
  })

  it('ends on Ctrl-C when it is in the foreground', async () => {
    const pf = podfabric()
    pf.write('pods.yaml', twoPods)
    const child = pf.start('up', '-f', 'pods.yaml', '--foreground')
    const ended = outcomeOf(child)
    await printed(child, /end it with podfabric down, or Ctrl-C/)
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ exitCode: 0 })
    expect(readdirSync(pf.state)).toEqual([])
  })

  it.each([
    [['-f', 'nowhere'], /^podfabric: nowhere: no such file or folder\n$/],
    [['-f', 'bad.yaml'], /^podfabric: bad\.yaml:3:19: metadata\.name: expected .*got "BAD"\n$/],
    [
      ['-f', 'pods.yaml', '--network', 'syntax.conflist'],
      /syntax\.conflist is not JSON: line 1, column 23: expected/,
    ],
    [
      ['-f', 'pods.yaml', '--network', 'key.conflist'],
      /key\.conflist: .*backend\.type: expected .*found "ipsec"/,
    ],
    [
      ['-f', 'pods.yaml', '--network', 'type.conflist'],
      /type\.conflist: there is no plugin calico; there are bridge/,
    ],
    [['-f', 'pods.yaml', '--plugin', './nothing.js'], /plugin \.\/nothing\.js: cannot be loaded/],
    [['-f', 'pods.yaml', '--plugin', './five.js'], /its default export is not a plugin factory/],
    [['-f', 'pods.yaml', '--dns', 'here'], /here: expected an address and a port/],
  ])('does not come up with %j, and nothing is left', async (words, message) => {
    const pf = podfabric()
    pf.write('pods.yaml', twoPods)
    pf.write(
      'bad.yaml',
      'apiVersion: v1\nkind: Pod\nmetadata: { name: BAD }\nspec: { containers: [{ name: c, image: i }] }\n',
    )
    const list = (plugin: object) => JSON.stringify({ cniVersion: '1.1.0', name: 'net', plugins: [plugin] })
    pf.write('syntax.conflist', '{"cniVersion":"1.1.0",}')
    pf.write('key.conflist', list({ type: 'flannel', network: '10.1.0.0/16', backend: { type: 'ipsec' } }))
    pf.write('type.conflist', list({ type: 'calico' }))
    pf.write('five.js', 'export default 5\n')
    const { exitCode, stdout, stderr } = await pf.run('up', ...words)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(readdirSync(pf.state)).toEqual(['cluster.log'])
  })

  it('runs a plugin from a file', async () => {
    const pf = podfabric()
    pf.write('pods.yaml', twoPods)
    const sample = new URL('../../../packages/plugin-sample/src/index.ts', import.meta.url).href
    pf.write(
      'own.mjs',
      `import sample from '${sample}'\nexport default (context) => ({ ...sample(context), type: 'own' })\n`,
    )
    expect(await pf.run('up', '-f', 'pods.yaml', '--nodes', '2', '--plugin', './own.mjs')).toMatchObject({
      exitCode: 0,
    })
    expect((await pf.run('get', 'pods')).stdout).toMatch(/one +yes +Running +10\.99\.0\./)
    await pf.run('down')
  })

  it('is captured while other commands run, until Ctrl-C or a count', async () => {
    const pf = podfabric()
    pf.write('pods.yaml', twoPods)
    await pf.run('up', '-f', 'pods.yaml')
    const refused = await pf.run('capture', 'no.pcapng', '--filter', 'bogus')
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('known keys are') })
    expect(existsSync(join(pf.folder, 'no.pcapng'))).toBe(false)
    expect(await pf.run('capture', 'nowhere/all.pcapng')).toMatchObject({ exitCode: 2 })

    const counted = pf.start('capture', '-', '--count', '3', '--filter', 'protocol=icmp')
    const blocks: Uint8Array[] = []
    counted.stdout?.on('data', (block) => blocks.push(block))
    const end = once(counted, 'close')
    const endless = pf.start('capture', 'all.pcapng')
    const interrupted = outcomeOf(endless)
    await expect
      .poll(() => existsSync(join(pf.folder, 'all.pcapng')) && blocks.length > 0, { timeout: 30_000 })
      .toBe(true)
    expect(await pf.run('ping', '--all')).toMatchObject({ exitCode: 0 })
    expect(await end).toEqual([0, null])
    expect(await packetsIn(Buffer.concat(blocks))).toBe(3)
    endless.kill('SIGINT')
    expect(await interrupted).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await packetsIn(readFileSync(join(pf.folder, 'all.pcapng')))).toBeGreaterThan(20)
    expect((await pf.run('decode', 'all.pcapng')).stdout).toMatch(/VXLAN, vni 1: IP 10\.244/)
    expect(await pf.run('down')).toMatchObject({ exitCode: 0 })
  })
})

async function packetsIn(bytes: Uint8Array): Promise<number> {
  let count = 0
  for await (const _ of readCapture([bytes])) count++
  return count
}
