import { type Pod, readManifests } from '@podfabric/kube'
import { ip } from '@podfabric/netaddr'
import { describe, expect, test } from 'vitest'
import { formatResolvConf, parseResolvConf, podResolvConf } from './resolv-conf.ts'

describe('parseResolvConf', () => {
  test('reads what a pod has', () => {
    const text =
      '# comment\nnameserver 10.96.0.10\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 edns0 timeout:2\n'
    expect(parseResolvConf(text)).toEqual({
      nameservers: ['10.96.0.10'],
      search: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
      ndots: 5,
      timeout: 2000,
      attempts: 2,
    })
  })

  test('has the defaults of resolv.conf(5), and its limits', () => {
    expect(parseResolvConf('')).toEqual({ nameservers: [], search: [], ndots: 1, timeout: 5000, attempts: 2 })
    expect(parseResolvConf('options ndots:99 timeout:0 attempts:99')).toMatchObject({
      ndots: 15,
      timeout: 1000,
      attempts: 5,
    })
    const four = [1, 2, 3, 4].map((host) => `nameserver 10.0.0.${host}`).join('\n')
    expect(parseResolvConf(four).nameservers).toHaveLength(3)
  })

  test('the last search list is the one that counts', () => {
    expect(parseResolvConf('search a b\ndomain c.d').search).toEqual(['c.d'])
  })

  test('names the line of an address that is none', () => {
    expect(() => parseResolvConf('search a\nnameserver 10.0.0.300', '/etc/resolv.conf')).toThrow(
      expect.objectContaining({
        code: 'DNS_CONFIG',
        message: expect.stringMatching(/^\/etc\/resolv\.conf:2: .*10\.0\.0\.300/),
      }),
    )
  })

  test('is read back from what formatResolvConf writes', () => {
    const conf = {
      nameservers: [ip('10.96.0.10'), ip('fd00::a')],
      search: ['a.b', 'c'],
      ndots: 5,
      timeout: 1000,
      attempts: 3,
    }
    expect(parseResolvConf(formatResolvConf(conf))).toEqual(conf)
  })
})

describe('podResolvConf', () => {
  const node = {
    nameservers: [ip('192.0.2.53')],
    search: ['corp.example'],
    ndots: 1,
    timeout: 5000,
    attempts: 2,
  }
  const dns = { nameservers: [ip('10.96.0.10')], zone: 'cluster.local', node }

  function pod(spec: string): Pod {
    const text = `apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: c}]${spec}}`
    const object = readManifests(text, { file: 'p' }).objects[0]?.object
    if (object?.kind !== 'Pod') throw new Error('no pod')
    return object
  }

  test('ClusterFirst asks the cluster, with the namespace first and five dots', () => {
    expect(podResolvConf(pod(''), dns)).toMatchObject({
      nameservers: ['10.96.0.10'],
      search: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example'],
      ndots: 5,
    })
  })

  test("a pod on its node's network has the node's, unless its policy says otherwise", () => {
    expect(podResolvConf(pod(', hostNetwork: true'), dns)).toEqual(node)
    expect(podResolvConf(pod(', hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet'), dns).ndots).toBe(5)
    expect(podResolvConf(pod(', dnsPolicy: Default'), dns)).toEqual(node)
  })

  test('dnsConfig adds to the policy, and is all there is with None', () => {
    const config =
      ', dnsConfig: {nameservers: [192.0.2.1], searches: [x.y], options: [{name: ndots, value: "2"}]}'
    expect(podResolvConf(pod(config), dns)).toMatchObject({
      nameservers: ['10.96.0.10', '192.0.2.1'],
      search: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example', 'x.y'],
      ndots: 2,
    })
    expect(podResolvConf(pod(`, dnsPolicy: None${config}`), dns)).toMatchObject({
      nameservers: ['192.0.2.1'],
      search: ['x.y'],
      ndots: 2,
    })
  })
})
