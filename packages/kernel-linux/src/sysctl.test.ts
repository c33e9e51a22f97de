import { describe, expect, it } from 'vitest'
import { linuxAvailable } from './availability.ts'
import { linux } from './linux.ts'
import { missingSetting } from './sysctl.ts'

describe('a setting that is not there', () => {
  const folders = (...there: string[]) => {
    return (path: string) => there.includes(path)
  }

  it('names the kernel module whose settings are all missing', () => {
    const name = 'net.bridge.bridge-nf-call-iptables'
    expect(missingSetting(name, folders())).toContain('br_netfilter')
    expect(missingSetting('net.netfilter.nf_conntrack_max', folders())).toContain('nf_conntrack')
    expect(missingSetting('net.ipv6.conf.all.forwarding', folders())).toContain('no IPv6')
    expect(missingSetting(name, folders('net/bridge'))).toBe('this kernel has no such setting')
  })

  it('names the link that is missing, with its dots', () => {
    const name = 'net.ipv4.conf.br/0.proxy_arp'
    expect(missingSetting(name, folders('net/ipv4'))).toBe('no link is named br.0')
    expect(missingSetting(name, folders('net/ipv4', 'net/ipv4/conf/br.0'))).toBe(
      'this kernel has no such setting',
    )
  })

  const availability = linuxAvailable()
  const title = 'is told so by Linux'
  it.skipIf(!availability.available)(
    availability.available ? title : `${title} (skipped: ${availability.reason})`,
    async () => {
      const kernel = linux()
      const at = kernel.in(kernel.netns.host)
      try {
        await expect(at.sysctl.get('net.ipv4.conf.ghost0.proxy_arp')).rejects.toMatchObject({
          code: 'ENOENT',
          message: 'sysctl -n net.ipv4.conf.ghost0.proxy_arp: no link is named ghost0 (ENOENT)',
        })
        await expect(at.sysctl.set('net.ipv4.ghost', '1')).rejects.toMatchObject({
          code: 'ENOENT',
          message: expect.stringContaining('this kernel has no such setting'),
        })
      } finally {
        await at[Symbol.asyncDispose]()
        await kernel[Symbol.asyncDispose]()
      }
    },
  )
})
