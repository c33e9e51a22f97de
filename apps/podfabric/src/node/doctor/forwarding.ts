import { type Check, type Finding, ok, warning } from './check.ts'

const settings = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const

/** A warning only: the plugins turn it on with the first pod, and something that turns it off again must be found. */
export const forwarding: Check = {
  id: 'forwarding',
  title: 'the node forwards packets',
  async run({ networks, setting }) {
    const families = new Set(networks.flatMap((network) => network.families))
    if (families.size === 0) return [ok('no network of ours needs it')]
    const findings: Finding[] = []
    for (const family of [...families].sort()) {
      const name = settings[family].replaceAll('/', '.')
      const value = await setting(settings[family])
      if (value === '1') findings.push(ok(`${name} is 1`))
      else if (value === undefined) {
        findings.push(
          warning(`${name} is not there: the kernel has no IPv${family}`, `use IPv${family === 4 ? 6 : 4}`),
        )
      } else {
        findings.push(
          warning(
            `${name} is ${value}: pods reach nobody outside of their bridge until a pod is attached`,
            `sysctl -w ${name}=1, and write it to /etc/sysctl.d so that nothing sets it back`,
          ),
        )
      }
    }
    return findings
  },
}
