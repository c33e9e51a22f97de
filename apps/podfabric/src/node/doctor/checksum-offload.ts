import { spawn } from 'node:child_process'
import { type Check, type Finding, ok, unknown } from './check.ts'

/**
 * Cards and kernels that compute the checksums inside of tunnels wrongly: packets leave, and the other node drops them. Whether
 * these here do shows only at the other end, so nothing is claimed.
 */
export const checksumOffload: Check = {
  id: 'checksum-offload',
  title: 'checksums within tunnels are computed',
  async run({ host, hidden, networks }) {
    if (host === undefined) return [unknown(`not looked at: ${hidden}`)]
    const tunnels = host.links.filter(
      ({ name, kind }) => kind === 'vxlan' && networks.some(({ tunnel }) => tunnel === name),
    )
    if (tunnels.length === 0) return [ok('there is no tunnel yet')]
    return Promise.all(tunnels.map(({ name }) => offloadOf(name)))
  },
}

async function offloadOf(link: string): Promise<Finding> {
  const text = await features(link)
  const state = /^\s*tx-checksum-ip-generic: (on|off)/m.exec(text ?? '')?.[1]
  if (state === 'off') return ok(`${link} leaves none to the network card`)
  const seen =
    state === undefined
      ? `whether ${link} leaves checksums to the network card is not known (ethtool does not say)`
      : `${link} leaves checksums to the network card; whether that one is right shows at the other node only`
  return unknown(
    `${seen}. When UDP and TCP between nodes fail and ping works: ethtool -K ${link} tx-checksum-ip-generic off`,
  )
}

/** What `ethtool -k` prints; undefined where it is not installed or fails. */
function features(link: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn('ethtool', ['-k', link], { stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
    child.on('error', () => resolve(undefined))
    child.on('close', (code) => resolve(code === 0 ? text : undefined))
  })
}
