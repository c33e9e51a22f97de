import { describe, expect, it } from 'vitest'
import { overhead, podMtu } from './overhead.ts'

describe('overhead', () => {
  it('is 50 octets for VXLAN over IPv4 and 70 over IPv6', () => {
    expect(overhead('vxlan', 4)).toBe(50)
    expect(overhead('vxlan', 6)).toBe(70)
    expect(overhead('none', 4)).toBe(0)
  })
})

describe('podMtu', () => {
  it('is what the encapsulation leaves of the underlay', () => {
    expect(podMtu(1500, { encapsulation: 'vxlan', underlay: 4 })).toBe(1450)
    expect(podMtu(9000, { encapsulation: 'vxlan', underlay: 6 })).toBe(8930)
    expect(podMtu(1500, { encapsulation: 'none', underlay: 4 })).toBe(1500)
  })

  it('refuses an underlay that cannot carry the pods’ family', () => {
    expect(() => podMtu(1300, { encapsulation: 'vxlan', underlay: 4, pods: 6 })).toThrow(RangeError)
    expect(podMtu(1330, { encapsulation: 'vxlan', underlay: 4, pods: 6 })).toBe(1280)
  })
})
