import { CniError } from '@podfabric/cni'
import { parsePrefix, prefixFamily } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseSubnetFile } from './subnet-file.ts'

const path = '/run/flannel/subnet.env'
const lines = (more: Readonly<Record<string, string | undefined>> = {}) =>
  Object.entries({
    FLANNEL_NETWORK: '10.244.0.0/16',
    FLANNEL_SUBNET: '10.244.7.1/24',
    FLANNEL_MTU: '1450',
    FLANNEL_IPMASQ: 'true',
    ...more,
  })
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `${name}=${value}`)
const parse = (more?: Readonly<Record<string, string | undefined>>) =>
  parseSubnetFile(`${lines(more).join('\n')}\n`, path)

describe('the file of Flannel’s daemon', () => {
  it('says the network, the node’s subnet, the MTU and who masquerades', () => {
    expect(parse()).toEqual({
      networks: ['10.244.0.0/16'],
      subnets: ['10.244.7.0/24'],
      mtu: 1450,
      ipMasq: true,
    })
    expect(parse({ FLANNEL_IPMASQ: 'false' }).ipMasq).toBe(false)
  })

  it('has both families, or IPv6 alone, and several networks, each once', () => {
    const six = { FLANNEL_IPV6_NETWORK: 'fd00::/48', FLANNEL_IPV6_SUBNET: 'fd00:0:0:7::1/64' }
    expect(parse(six)).toMatchObject({
      networks: ['10.244.0.0/16', 'fd00::/48'],
      subnets: ['10.244.7.0/24', 'fd00:0:0:7::/64'],
    })
    expect(parse({ ...six, FLANNEL_NETWORK: undefined, FLANNEL_SUBNET: undefined })).toMatchObject({
      networks: ['fd00::/48'],
      subnets: ['fd00:0:0:7::/64'],
    })
    expect(parse({ FLANNEL_NETWORK: '10.244.0.0/16,10.9.3.1/16,10.244.0.0/16' }).networks).toEqual([
      '10.244.0.0/16',
      '10.9.0.0/16',
    ])
  })

  it('is read past other lines; of a name the last counts', () => {
    const text = ['# none', '', 'OTHER', 'FLANNEL_MTU=9000', ...lines()].join('\r\n')
    expect(parseSubnetFile(text, path)).toEqual(parse())
  })

  it.each([
    [
      { FLANNEL_MTU: undefined, FLANNEL_IPMASQ: undefined },
      `${path}: FLANNEL_MTU, FLANNEL_IPMASQ are missing`,
    ],
    [{ FLANNEL_NETWORK: undefined }, `${path}: FLANNEL_NETWORK or FLANNEL_IPV6_NETWORK is missing`],
    [{ FLANNEL_SUBNET: undefined }, `${path}: FLANNEL_SUBNET or FLANNEL_IPV6_SUBNET is missing`],
    [{ FLANNEL_SUBNET: '10.244.7.1' }, `${path}, line 2: FLANNEL_SUBNET`],
    [{ FLANNEL_SUBNET: 'fd00::1/64' }, 'fd00::1/64 is not of IPv4'],
    [{ FLANNEL_NETWORK: '10.244.0.0/16,' }, `${path}, line 1: FLANNEL_NETWORK`],
    [{ FLANNEL_MTU: '' }, `${path}, line 3: FLANNEL_MTU: expected a number of octets, found ""`],
    [{ FLANNEL_MTU: '-1' }, 'FLANNEL_MTU'],
    [{ FLANNEL_MTU: '4294967296' }, 'FLANNEL_MTU'],
  ])('is refused with %j, naming file and name', (more, message) => {
    expect(() => parse(more)).toThrow(
      expect.objectContaining({ code: 'CNI_DECODING_FAILURE', message: expect.stringContaining(message) }),
    )
  })

  it('is refused with a name that has no value', () => {
    expect(() => parseSubnetFile('FLANNEL_MTU\n', path)).toThrow('line 1: FLANNEL_MTU: it has no value')
  })

  it('is read into prefixes of their families or refused with a CNI error, whatever it holds', () => {
    const word = fc.oneof(
      fc.constantFrom('10.0.0.0/8', 'fd00::/8', 'true', '1450', ',', '=', '\n', '#'),
      fc.constantFrom(
        ...['NETWORK', 'SUBNET', 'IPV6_NETWORK', 'IPV6_SUBNET', 'MTU', 'IPMASQ'].map((x) => `FLANNEL_${x}=`),
      ),
      fc.string({ maxLength: 6 }),
    )
    const damage = fc.array(word, { maxLength: 12 }).map((words) => words.join(''))
    fc.assert(
      fc.property(damage, fc.boolean(), (text, whole) => {
        try {
          const { networks, subnets } = parseSubnetFile(whole ? `${lines().join('\n')}\n${text}` : text, path)
          for (const each of [...networks, ...subnets]) expect(parsePrefix(each)).toBe(each)
          expect(subnets.map(prefixFamily)).toEqual([...new Set(subnets.map(prefixFamily))].sort())
        } catch (error) {
          expect(error).toBeInstanceOf(CniError)
        }
      }),
    )
  })
})
