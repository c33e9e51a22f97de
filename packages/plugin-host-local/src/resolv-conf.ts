import { CniError, type ResultDns } from '@podfabric/cni'
import type { NodeFiles } from './node-files.ts'

/** What a file in the form of resolv.conf(5) says, as a result tells it. Throws CNI_IO_FAILURE when it is not there. */
export async function readResolvConf(files: NodeFiles, path: string): Promise<ResultDns> {
  const text = await files.read(path).catch((cause: unknown) => {
    throw new CniError('CNI_IO_FAILURE', `ipam.resolvConf: ${path} cannot be read`, { cause })
  })
  if (text !== undefined) return parseResolvConf(text)
  throw new CniError('CNI_IO_FAILURE', `ipam.resolvConf: there is no file ${path}`)
}

/** Lines that are comments, incomplete or of other keywords say nothing. Of `domain` the last counts, of all others every one. */
export function parseResolvConf(text: string): ResultDns {
  const nameservers: string[] = []
  const search: string[] = []
  const options: string[] = []
  let domain: string | undefined
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/u)
    const [first] = words
    if (first === undefined) continue
    if (keyword === 'nameserver') nameservers.push(first)
    if (keyword === 'domain') domain = first
    if (keyword === 'search') search.push(...words)
    if (keyword === 'options') options.push(...words)
  }
  return {
    ...(nameservers.length > 0 && { nameservers }),
    ...(domain !== undefined && { domain }),
    ...(search.length > 0 && { search }),
    ...(options.length > 0 && { options }),
  }
}
