import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseIfName } from './identifiers.ts'
import { linkName } from './link-name.ts'

describe('linkName', () => {
  it('is a name that kernels take, and the same for the same attachment', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (network, containerId, ifName) => {
        const name = linkName('veth', network, { containerId, ifName })
        expect(parseIfName(name)).toMatch(/^veth[0-9a-z]{11}$/)
        expect(linkName('veth', network, { containerId, ifName })).toBe(name)
      }),
    )
  })

  it('differs between attachments that differ in little', () => {
    const names = new Set<string>()
    for (let n = 0; n < 20_000; n++)
      names.add(linkName('veth', 'net', { containerId: `c${n}`, ifName: 'eth0' }))
    names.add(linkName('veth', 'net2', { containerId: 'c0', ifName: 'eth0' }))
    names.add(linkName('veth', 'net', { containerId: 'c0', ifName: 'eth1' }))
    expect(names.size).toBe(20_002)
  })
})
