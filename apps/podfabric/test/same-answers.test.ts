import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { formatRecord, parseType, responder } from '@podfabric/dns'
import { ip } from '@podfabric/netaddr'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hostDns } from '../src/host-dns.ts'
import { testLab, twoPods } from './fixtures/test-lab.ts'

const run = promisify(execFile)
const dig = await run('dig', ['-v']).then(
  () => true,
  () => false,
)
const log = { debug: () => undefined, error: () => undefined }

describe.skipIf(!dig)(`dig and a pod${dig ? '' : ' (skipped: dig is not installed)'}`, () => {
  it('get the same answers of one zone: A, SRV, PTR, and no such name', async () => {
    const { lab } = await testLab(twoPods)
    const pod = lab.cluster.pod('one')
    const server = await hostDns(responder({ zones: [lab.cluster.zone], random: () => 0, log }), {
      address: ip('127.0.0.1'),
      port: 0,
    })
    onTestFinished(() => server.close())

    async function byDig(name: string, type: string): Promise<readonly string[]> {
      const at = ['@127.0.0.1', '-p', String(server.port), '+tries=1', '+timeout=10']
      const { stdout } = await run('dig', [...at, '+noall', '+answer', '+comments', name, type])
      const status = /status: (\w+)/.exec(stdout)?.[1]
      if (status !== 'NOERROR') return [String(status)]
      return stdout
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith(';'))
        .map((line) => line.replace(/\s+/g, ' '))
        .sort()
    }
    async function byPod(name: string, type: string): Promise<readonly string[]> {
      const number = parseType(type)
      if (number === undefined) throw new RangeError(type)
      // With a dot at its end it is asked for as it is, once.
      const found = await pod
        .resolver()
        .find(`${name}.`, number)
        .catch((error: { code?: unknown }) => String(error.code))
      if (typeof found === 'string') return [found === 'DNS_NO_NAME' ? 'NXDOMAIN' : found]
      return found.records.map((record) => formatRecord(record).replace(/\s+/g, ' ')).sort()
    }

    const [address = ''] = lab.cluster.pod('two').sandbox.addresses
    const questions: readonly (readonly [string, string, number])[] = [
      ['pair.default.svc.cluster.local', 'A', 2],
      ['_http._tcp.pair.default.svc.cluster.local', 'SRV', 2],
      [`${address.split('.').reverse().join('.')}.in-addr.arpa`, 'PTR', 1],
    ]
    for (const [name, type, count] of questions) {
      const answers = await byDig(name, type)
      expect(answers).toHaveLength(count)
      expect(await byPod(name, type)).toEqual(answers)
    }
    const nobody = 'nobody.default.svc.cluster.local'
    expect([await byDig(nobody, 'A'), await byPod(nobody, 'A')]).toEqual([['NXDOMAIN'], ['NXDOMAIN']])
  })
})
