import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { testLab, twoPods } from './fixtures/test-lab.ts'

describe('ping', () => {
  it('reaches a pod by its name, its address, its service and its DNS name', async () => {
    const { lab, say } = await testLab(twoPods)
    const [address] = lab.cluster.pod('two').sandbox.addresses
    for (const target of ['two', String(address), 'svc/pair', 'pair.default', 'pair']) {
      expect(await say(`ping one ${target}`)).toMatchObject({
        exitCode: 0,
        lines: expect.stringMatching(/^one → .*reply from 10\.244\./),
      })
    }
  })

  it('fails with 1 and says where a packet was dropped', async () => {
    const { say } = await testLab(twoPods)
    const { exitCode, lines } = await say('ping one 10.1.2.3')
    expect(exitCode).toBe(1)
    expect(lines).toMatch(/unreachable .*; dropped at node-1\/cni0: NO_ROUTE/)
  })

  it('fills a matrix, and counts', async () => {
    const { say } = await testLab(twoPods)
    const { exitCode, lines } = await say('ping --all')
    expect(exitCode).toBe(0)
    expect(lines).toBe(
      ['FROM \\ TO   1   2', '1 one       ·   ✓', '2 two       ✓   ·', '2 of 2 reached (100 %)'].join('\n'),
    )
  })

  it('does not take the reply of another pod at the same address for an answer', async () => {
    const { say } = await testLab(twoPods, 'bridge')
    const { exitCode, lines } = await say('ping --all')
    expect(exitCode).toBe(1)
    expect(lines).toContain('0 of 2 reached (0 %)')
    expect(lines).toMatch(/✗ one → two: 10\.\d+\.0\.\d+ is answered by one on node-1: two have this address/)
  })

  it.each([
    ['ping one nobody', 2, /there is no Pod nobody in namespace default/],
    ['ping one 10.244.0.300', 2, /10\.244\.0\.300: expected an address/],
    ['ping one', 2, /name two pods, or say --all/],
    ['ping one two:99999', 2, /a port is a number from 1 to 65535/],
    ['ping one svc/nobody', 2, /there is no service default\/nobody/],
    ['ping one nobody.example.org', 1, /REFUSED for nobody\.example\.org/],
  ])('refuses "%s" with %i', async (line, exitCode, message) => {
    const { say } = await testLab(twoPods)
    expect(await say(line)).toEqual({ exitCode, lines: '', notes: expect.stringMatching(message) })
  })
})

describe('trace', () => {
  it('shows the tunnel’s inner and outer headers side by side', async () => {
    const { say } = await testLab(twoPods)
    const { exitCode, lines } = await say('trace one two')
    expect(exitCode).toBe(0)
    expect(lines).toMatch(
      /3\. node-1\n +encapsulate flannel\.1[\s\S]*10\.244\.1\.\d+ > 10\.244\.2\.\d+: ICMP echo request[\s\S]*192\.168\.50\.1\.\d+ > 192\.168\.50\.2\.8472: VXLAN, vni 1/,
    )
    expect(lines).toMatch(/answered by 10\.244\.2\.\d+$/)
  })

  it('asks a port over TCP, and shows with --dropped-only why it is closed', async () => {
    const { say } = await testLab(twoPods)
    expect((await say('trace one two:80')).lines).toMatch(/answered with status 200: \{"pod":"two"/)
    const closed = await say('trace one two:81 --dropped-only')
    expect(closed.exitCode).toBe(1)
    expect(closed.lines).toMatch(/packet 1 of 1[\s\S]*dropped: NO_SOCKET[\s\S]*ECONNREFUSED/)
  })

  it('says that no packet passes a filter, and refuses one that makes no sense', async () => {
    const { say } = await testLab(twoPods)
    expect((await say('trace one two --filter node=node-9')).lines).toMatch(
      /no packet to show: \d+ passed by/,
    )
    expect(await say('trace one two --filter nodes=x')).toMatchObject({
      exitCode: 2,
      notes: expect.stringMatching(/known keys are node/),
    })
  })

  it('gives every hop with its octets as JSON', async () => {
    const { say } = await testLab(twoPods)
    const { lines } = await say('trace one two -o json')
    const { answered, journeys } = JSON.parse(lines)
    expect(answered).toBe(true)
    expect(journeys[0].hops[0]).toMatchObject({
      node: 'node-1',
      step: 'send',
      bytes: expect.stringMatching(/^45/),
    })
  })
})

describe('dns query', () => {
  it('shows what the search list cost, then the records', async () => {
    const { say } = await testLab(twoPods)
    const found = await say('dns query pair.default --from one')
    expect(found.notes).toMatch(
      /pair\.default\.default\.svc\.cluster\.local: NXDOMAIN[\s\S]*NOERROR, 2 records/,
    )
    expect(found.lines.split('\n')).toHaveLength(2)
    const ports = await say('dns query _http._tcp.pair --type SRV')
    expect(ports.lines).toMatch(/IN SRV 0 \d+ 80 /)
  })

  it('asks from a pod of the pod network when none is named', async () => {
    const host = `${twoPods}---\napiVersion: v1\nkind: Pod\nmetadata: { name: host }\nspec: { hostNetwork: true, containers: [{ name: c, image: i }] }\n`
    const { say } = await testLab(host)
    expect((await say('dns query pair')).exitCode).toBe(0)
  })

  it.each([
    ['dns query nobody', 1, /./],
    ['dns query a..b', 2, /a label is empty/],
    ['dns query pair --type FOO', 2, /expected a record type/],
  ])('answers "%s" with %i', async (line, exitCode, message) => {
    const { say } = await testLab(twoPods)
    expect(await say(line)).toEqual({ exitCode, lines: '', notes: expect.stringMatching(message) })
  })
})

describe('get', () => {
  it('lists as tables, JSON and YAML', async () => {
    const { say } = await testLab(twoPods)
    expect((await say('get pods')).lines).toMatch(
      /^NAMESPACE +NAME +READY +STATUS +IP +NODE\ndefault +one +yes +Running +10\.244\.1\.\d+ +node-1\n/,
    )
    expect(JSON.parse((await say('get services -o json')).lines)).toMatchObject([{ kind: 'Service' }])
    expect((await say('get nodes -o yaml')).lines).toMatch(/^- apiVersion: v1\n {2}kind: Node/)
    expect((await say('get pods -A')).lines).toContain('dns-node-1')
    expect((await say('get endpoints')).lines).toMatch(/default +pair +10\.244\.\d\.\d +ready +one/)
    expect(await say('get pods -n void')).toEqual({
      exitCode: 0,
      lines: '',
      notes: 'no pods in namespace void',
    })
  })

  it('shows routes and links of nodes and of a pod', async () => {
    const { say } = await testLab(twoPods)
    expect((await say('get routes')).lines).toMatch(
      /node-1 +10\.244\.2\.0\/24 +10\.244\.2\.0 +flannel\.1 +podfabric/,
    )
    expect((await say('get routes --pod one')).lines).toMatch(/one +default +10\.244\.1\.1 +eth0/)
    expect((await say('get links --pod one')).lines).toMatch(/one +eth0 +veth +up +1450/)
    expect((await say('get pods --pod one')).exitCode).toBe(2)
  })
})

describe('changes', () => {
  it('scale, restart and delete end when the cluster is as wished', async () => {
    const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: c, image: i }] } }
`
    const { lab, say } = await testLab(deployment)
    const pods = () => lab.cluster.objects.list('Pod', 'default').map(({ metadata }) => metadata.name)
    await say('scale deployment/web 3')
    const before = pods()
    expect(before).toHaveLength(3)
    await say('rollout restart deploy/web')
    expect(pods()).toHaveLength(3)
    expect(pods().filter((name) => before.includes(name))).toEqual([])
    expect(await say('rollout status deployment/web')).toMatchObject({ exitCode: 0 })
    await say('delete deployment web')
    expect(pods()).toEqual([])
  })

  it('a bad manifest among good ones changes nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'podfabric-apply-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const { lab, say } = await testLab(twoPods, 'flannel', folder)
    const pod = (name: string, image = 'i') =>
      `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name} }\nspec: { containers: [{ name: c, image: ${image} }] }\n`
    const before = JSON.stringify(lab.cluster.objects.list('Pod'))
    writeFileSync(join(folder, 'bad.yaml'), `${pod('new')}---\n${pod('NEW')}`)
    expect(await say('apply -f bad.yaml')).toMatchObject({
      exitCode: 2,
      lines: '',
      notes: expect.stringMatching(/bad\.yaml:8:19: metadata\.name: expected/),
    })
    // Right by itself, and not possible in this cluster.
    writeFileSync(join(folder, 'change.yaml'), `${pod('new')}---\n${pod('one', 'other')}`)
    expect(await say('apply -f change.yaml')).toMatchObject({ exitCode: 2, lines: '' })
    expect(JSON.stringify(lab.cluster.objects.list('Pod'))).toBe(before)
  })

  it('nodes join, fail, leave, and come back under their name', async () => {
    const { lab, say } = await testLab(twoPods)
    expect(await say('node add')).toMatchObject({ exitCode: 0, lines: 'node node-3 joined' })
    expect(await say('node add Node')).toMatchObject({ exitCode: 2 })
    expect(await say('node add ../x')).toMatchObject({ exitCode: 2 })
    expect(await say('node add node-3')).toMatchObject({ exitCode: 2 })
    expect(await say('node fail node-3')).toMatchObject({ exitCode: 0 })
    expect(await say('node remove node-3')).toMatchObject({ exitCode: 0 })
    expect(await say('node add node-3')).toMatchObject({ exitCode: 0 })
    expect(await say('node remove node-3')).toMatchObject({ exitCode: 0 })
    expect(await say('node add node-3')).toMatchObject({ exitCode: 0 })
    expect(lab.cluster.nodes()).toEqual(['node-1', 'node-2', 'node-3'])
    expect(await say('node drain node-9')).toMatchObject({ exitCode: 2 })
  })
})
