import { describe, expect, it } from 'vitest'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'

const service = (name: string, spec = '') =>
  manifest(`
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ port: 80 }]${spec} }
`)

const both = ['10.96.0.0/12', 'fd00:96::/112']

async function addresses(ranges: readonly string[], ...spec: readonly string[]) {
  const made = bench(undefined, [...ranges])
  for (const [i, one] of spec.entries()) await made.put(...service(`s${i}`, one))
  const given = made.table.list('Service', 'default').map((one) => one.spec.clusterIPs)
  return { ...made, given }
}

describe('a service', () => {
  it('gets the first address that nobody has', async () => {
    const { given, table, put } = await addresses(['10.96.0.0/12'], '', ', clusterIP: 10.96.0.2', '')
    expect(given).toEqual([['10.96.0.1'], ['10.96.0.2'], ['10.96.0.3']])
    expect(table.get('Service', 's0', 'default')?.spec.clusterIP).toBe('10.96.0.1')
    table.remove('Service', 's0', 'default')
    await put(...service('next'))
    expect(table.get('Service', 'next', 'default')?.spec.clusterIP).toBe('10.96.0.1')
  })

  it('that is headless or another name gets none', async () => {
    const external = ', type: ExternalName, externalName: example.com'
    expect((await addresses(['10.96.0.0/12'], ', clusterIP: None', external)).given).toEqual([[], []])
  })

  it('gets the families it asks for, in its order', async () => {
    const { given } = await addresses(
      both,
      '',
      ', ipFamilyPolicy: PreferDualStack',
      ', ipFamilies: [IPv6]',
      ', ipFamilies: [IPv6, IPv4], ipFamilyPolicy: RequireDualStack',
    )
    expect(given).toEqual([
      ['10.96.0.1'],
      ['10.96.0.2', 'fd00:96::1'],
      ['fd00:96::2'],
      ['fd00:96::3', '10.96.0.3'],
    ])
  })

  it('whose families the cluster has not gets none, and is a problem', async () => {
    const { given, loop } = await addresses(
      ['10.96.0.0/12'],
      ', ipFamilyPolicy: PreferDualStack',
      ', ipFamilies: [IPv6]',
      ', ipFamilyPolicy: RequireDualStack',
    )
    expect(given).toEqual([['10.96.0.1'], [], []])
    expect(loop.problems()).toEqual([
      'service default/s1: the cluster has no IPv6 range of service addresses',
      'service default/s2: the cluster has no IPv6 range of service addresses',
    ])
  })

  it('finds a range used up, and its turn once an address is free', async () => {
    const { given, loop, table } = await addresses(['10.96.0.0/30'], '', '', '', '')
    expect(given).toEqual([['10.96.0.1'], ['10.96.0.2'], [], []])
    expect(loop.problems()).toEqual([
      'service default/s2: service range 10.96.0.0/30 is used up; give the cluster a larger one',
      'service default/s3: service range 10.96.0.0/30 is used up; give the cluster a larger one',
    ])
    table.remove('Service', 's0', 'default')
    await loop.idle()
    expect(table.get('Service', 's2', 'default')?.spec.clusterIPs).toEqual(['10.96.0.1'])
    expect(loop.problems()).toHaveLength(1)
  })

  it('in a cluster without any range is a problem', async () => {
    const { loop } = await addresses([], '')
    expect(loop.problems()).toEqual(['service default/s0: the cluster has no range of service addresses'])
  })
})
