import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { linuxAvailable } from '@podfabric/kernel-linux'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { podfabric, printed } from './fixtures/run-podfabric.ts'

const availability = linuxAvailable()
const title = 'a cluster on the kernel of this machine'
const tshark = spawnSync('tshark', ['-v']).error === undefined

const shop = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { clusterIP: None, selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
${deployment('web')}
---
${deployment('api')}
`

function deployment(name: string): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: 2
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: c, ports: [{ containerPort: 80 }] }] }`
}

type Pf = ReturnType<typeof podfabric>

async function up(...more: readonly string[]): Promise<Pf> {
  const pf = podfabric()
  onTestFinished(async () => {
    await pf.run('down')
  })
  pf.write('shop.yaml', shop)
  const started = await pf.run('up', '-f', 'shop.yaml', '--kernel', 'linux', ...more)
  expect(started, started.stderr).toMatchObject({ exitCode: 0 })
  return pf
}

/** A pod of each deployment, on different nodes. */
async function apart(pf: Pf): Promise<readonly [string, string]> {
  const { stdout } = await pf.run('get', 'pods')
  const find = (app: string, node: string) => {
    const row = stdout.split('\n').find((line) => line.includes(` ${app}-`) && line.endsWith(node))
    const [, name] = row?.split(/ {2,}/) ?? []
    if (name === undefined) throw new Error(`no pod of ${app} on ${node}: ${stdout}`)
    return name
  }
  return [find('api', 'node-1'), find('web', 'node-2')]
}

/** Namespaces bound anywhere, and links of the machine's own namespace. */
function traces(folder: string) {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  return {
    mounts: mounts.split('\n').filter((line) => line.includes(folder)),
    links: readdirSync('/sys/class/net').sort(),
  }
}

describe.skipIf(!availability.available)(
  availability.available ? title : `${title} (skipped: ${availability.reason})`,
  { timeout: 60_000 },
  () => {
    it('comes up, answers by packets, changes its nodes, and leaves nothing', async () => {
      const links = readdirSync('/sys/class/net').sort()
      const pf = await up()
      expect(traces(pf.folder).mounts.length).toBeGreaterThan(8)
      expect((await pf.run('ping', '--all')).stdout).toContain('12 of 12 reached (100 %)')
      expect((await pf.run('dns', 'query', 'web')).stdout).toMatch(
        /^web\.default\.svc\.cluster\.local\. 5 IN A 10\.244\./,
      )
      expect((await pf.run('scale', 'deployment/web', '3')).exitCode).toBe(0)
      expect((await pf.run('node', 'add')).stdout).toBe('node node-3 joined\n')
      expect((await pf.run('node', 'fail', 'node-2')).stdout).toContain('its pods are back elsewhere')
      expect((await pf.run('ping', '--all')).stdout).toContain('20 of 20 reached (100 %)')
      expect((await pf.run('node', 'remove', 'node-1')).stdout).toBe('node node-1 left\n')
      expect((await pf.run('down')).exitCode).toBe(0)
      expect(readdirSync(pf.state)).toEqual(['cluster.log'])
      expect(traces(pf.folder)).toEqual({ mounts: [], links })
    })

    it('traces a packet with the outer headers that were on the wire', async () => {
      const pf = await up()
      const [from, to] = await apart(pf)
      const { stdout } = await pf.run('trace', from, to, '-o', 'json', '--filter', 'protocol=icmp')
      const { answered, journeys } = JSON.parse(stdout)
      expect(answered).toBe(true)
      const [request, reply] = journeys
      for (const journey of [request, reply]) expect(journey.outcome).toBe('delivered')
      const steps = request.hops.map(({ step }: { step: string }) => step)
      expect(steps.filter((step: string) => step !== 'transmit' && step !== 'receive')).toEqual([
        'send',
        'encapsulate',
        'decapsulate',
        'deliver',
      ])
      const outer = request.hops.find(({ step }: { step: string }) => step === 'encapsulate')
      expect(outer.because).toEqual({ from: '192.168.50.1', to: '192.168.50.2' })
      expect(JSON.stringify(outer.headers)).toContain('vxlan')
      const lost = await pf.run('trace', from, '10.244.2.250')
      expect(lost.exitCode).toBe(1)
      expect(lost.stdout).toContain('dropped: NOT_SEEN_AGAIN')
      expect((await pf.run('down')).exitCode).toBe(0)
    })

    it.skipIf(!tshark)(
      `captures frames that tshark finds sound${tshark ? '' : ' (skipped: tshark is not installed)'}`,
      async () => {
        const pf = await up()
        const [from, to] = await apart(pf)
        const capture = pf.start('capture', 'all.pcapng')
        const ended = once(capture, 'close')
        const options = [
          '-d',
          'udp.port==8472,vxlan',
          '-o',
          'tcp.check_checksum:TRUE',
          '-o',
          'ip.check_checksum:TRUE',
        ]
        // A file that is still written to may end inside a frame, which tshark says after all the others.
        const read = (filter: string) =>
          spawnSync('tshark', ['-r', join(pf.folder, 'all.pcapng'), ...options, '-Y', filter], {
            encoding: 'utf8',
          })
            .stdout.split('\n')
            .filter((line) => line !== '')
        // A capture says nothing when it has begun: requests go on until it has seen one on the wire.
        while (read('vxlan && tcp').length === 0) await pf.run('trace', from, `${to}:80`)
        capture.kill('SIGINT')
        await ended
        expect(read('vxlan && tcp').length).toBeGreaterThan(0)
        expect(read('_ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0')).toEqual([])
        expect((await pf.run('down')).exitCode).toBe(0)
      },
    )

    it('clears what a killed cluster left, by down and by the next up, and says so', async () => {
      const pf = await up()
      const left = /had left \d+ network namespaces; they are gone now/
      const kill = async () => {
        const id = pf.clusterId()
        process.kill(id, 'SIGKILL')
        while (statSync(`/proc/${id}`, { throwIfNoEntry: false })) await pf.run('--version')
        expect(traces(pf.folder).mounts).not.toEqual([])
      }
      await kill()
      expect(await pf.run('down')).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(left) })
      expect(traces(pf.folder).mounts).toEqual([])
      expect(readdirSync(pf.state)).toEqual(['cluster.log'])
      expect((await pf.run('up', '-f', 'shop.yaml', '--kernel', 'linux')).exitCode).toBe(0)
      await kill()
      const again = pf.start('up', '-f', 'shop.yaml', '--kernel', 'linux')
      await printed(again, left)
      await new Promise((resolve) => again.once('close', resolve))
      expect((await pf.run('down')).exitCode).toBe(0)
      expect(traces(pf.folder).mounts).toEqual([])
    })
  },
)

const clone = new URL('../../..', import.meta.url).pathname
/** Where every user finds the clone and the Node that runs this: their own folders may be closed to others. */
const place = mkdtempSync(join(tmpdir(), 'pf-place-'))
chmodSync(place, 0o755)
mkdirSync(join(place, 'clone'))
writeFileSync(join(place, 'node'), '')
afterAll(() => rmSync(place, { recursive: true }))
const nobodyMissing = whyNotNobody()

describe.skipIf(nobodyMissing !== undefined)(
  `a user without rights${nobodyMissing === undefined ? '' : ` (skipped: ${nobodyMissing})`}`,
  { timeout: 60_000 },
  () => {
    function nobodyIn(pf: Pf, path = process.env.PATH) {
      chownSync(pf.folder, 65534, 65534)
      chmodSync(pf.folder, 0o755)
      pf.write('shop.yaml', shop)
      const variables = ['env', `PODFABRIC_STATE=${pf.state}`, `PATH=${path}`]
      const cli = [
        join(place, 'node'),
        '--conditions=@podfabric/source',
        join(place, 'clone/apps/podfabric/src/cli.ts'),
      ]
      return (...words: readonly string[]) => asNobody([...variables, ...cli, ...words], pf.folder)
    }

    it('gets the same cluster in a user namespace', () => {
      const pf = podfabric()
      const run = nobodyIn(pf)
      const started = run('up', '-f', 'shop.yaml', '--kernel', 'linux')
      expect(started.status, started.stderr).toBe(0)
      expect(run('ping', '--all').stdout).toContain('12 of 12 reached (100 %)')
      expect(run('down').status).toBe(0)
      expect(readdirSync(pf.state)).toEqual(['cluster.log'])
    })

    it('is told what is missing where there is no unshare', () => {
      const pf = podfabric()
      const run = nobodyIn(pf, pf.folder)
      const { status, stderr } = run('up', '-f', 'shop.yaml', '--kernel', 'linux')
      expect(status).toBe(2)
      expect(stderr).toMatch(
        /--kernel linux: the process has no CAP_NET_ADMIN.* run it as root.*unshare cannot be started/,
      )
      expect(stderr).toContain('or use --kernel sim')
    })
  },
)

function asNobody(words: readonly string[], cwd: string) {
  const bind = 'mount --bind "$1" "$0/clone" && mount --bind "$2" "$0/node" && shift 2 && exec "$@"'
  const user = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
  return spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', bind, place, clone, process.execPath, ...user, ...words],
    { cwd, encoding: 'utf8' },
  )
}

function whyNotNobody(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root becomes another user'
  const { error, status, stderr } = asNobody(['unshare', '-Urnm', join(place, 'node'), '-e', '0'], place)
  if (error) return `unshare cannot be started: ${error.message}`
  return status === 0 ? undefined : `unshare -Urnm as nobody: ${stderr.trim()}`
}
