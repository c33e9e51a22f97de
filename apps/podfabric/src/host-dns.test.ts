import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { clusterZone, responder } from '@podfabric/dns'
import { readManifests } from '@podfabric/kube'
import { ip } from '@podfabric/netaddr'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HostDns, hostDns } from './host-dns.ts'

const run = promisify(execFile)
const dig = await run('dig', ['-v']).then(
  () => true,
  () => false,
)

const zone = clusterZone()
const { objects } = readManifests(
  `
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, selector: { app: db }, ports: [{ name: sql, port: 5432 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: db-1, labels: { kubernetes.io/service-name: db } }
addressType: IPv4
endpoints: [${Array.from({ length: 40 }, (_, i) => `{ addresses: [10.244.1.${i + 2}], conditions: { ready: true } }`).join(', ')}]
ports: [{ name: sql, port: 5432 }]
`,
  { file: 'db.yaml' },
)
for (const { object } of objects)
  if (object.kind === 'Service' || object.kind === 'EndpointSlice') zone.update({ type: 'put', object })
zone.markSynced()

describe.skipIf(!dig)(`hostDns asked by dig${dig ? '' : ' (skipped: dig is not installed)'}`, () => {
  let server: HostDns
  beforeAll(async () => {
    const log = { debug: () => undefined, error: () => undefined }
    server = await hostDns(responder({ zones: [zone], random: () => 0, log }), {
      address: ip('127.0.0.1'),
      port: 0,
    })
  })
  afterAll(() => server.close())

  const ask = async (...words: string[]) => {
    const { stdout } = await run('dig', [
      '@127.0.0.1',
      '-p',
      String(server.port),
      '+tries=1',
      '+timeout=5',
      ...words,
    ])
    return stdout
  }

  it('answers over UDP, and over TCP what UDP cannot hold', async () => {
    const plain = await ask('+noedns', 'db.default.svc.cluster.local', 'A', '+short')
    expect(plain.trim().split('\n')).toHaveLength(40)
    expect(await ask('+noedns', '+ignore', 'db.default.svc.cluster.local', 'A')).toMatch(/flags:.* tc/)
    expect(
      (await ask('+tcp', 'db.default.svc.cluster.local', 'A', '+short')).trim().split('\n'),
    ).toHaveLength(40)
  })

  it('says which names there are not, and refuses the names of others', async () => {
    expect(await ask('nobody.default.svc.cluster.local')).toMatch(/status: NXDOMAIN/)
    expect(await ask('example.org')).toMatch(/status: REFUSED/)
  })
})

describe('hostDns', () => {
  it('says by its code that somebody else listens there', async () => {
    const log = { debug: () => undefined, error: () => undefined }
    const responding = responder({ zones: [zone], random: () => 0, log })
    const first = await hostDns(responding, { address: ip('127.0.0.1'), port: 0 })
    const again = hostDns(responding, { address: ip('127.0.0.1'), port: first.port })
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await first.close()
  })
})
