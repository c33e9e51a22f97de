import { readFile } from 'node:fs/promises'
import { isMissing } from '../is-missing.ts'
import type { NodeFolders } from '../node-folders.ts'
import { type Check, type Finding, orOk, warning } from './check.ts'
import { tomlStrings } from './toml-strings.ts'

interface RuntimeFile {
  readonly runtime: string
  readonly path: string
  /** Keys that name folders for plugins, and for lists; of the newer and the older configuration. */
  readonly bin: readonly string[]
  readonly conf: readonly string[]
}

const containerdTables = ['plugins/io.containerd.grpc.v1.cri/cni', 'plugins/io.containerd.cri.v1.runtime/cni']
const runtimeFiles: readonly RuntimeFile[] = [
  {
    runtime: 'containerd',
    path: '/etc/containerd/config.toml',
    bin: containerdTables.flatMap((table) => [`${table}/bin_dir`, `${table}/bin_dirs`]),
    conf: containerdTables.map((table) => `${table}/conf_dir`),
  },
  {
    runtime: 'podman',
    path: '/etc/containers/containers.conf',
    bin: ['network/cni_plugin_dirs'],
    conf: ['network/network_config_dir'],
  },
  {
    runtime: 'CRI-O',
    path: '/etc/crio/crio.conf',
    bin: ['crio/network/plugin_dirs'],
    conf: ['crio/network/network_dir'],
  },
]

/** A warning only: which of a machine's runtimes shall have the network is not known. */
export const runtimeFolders: Check = {
  id: 'runtime-folders',
  title: 'runtimes look where the plugins and lists are',
  async run({ folders }) {
    const findings: Finding[] = []
    for (const file of runtimeFiles) {
      const text = await textOf(file.path)
      if (text !== undefined) findings.push(...otherFolders(file, text, folders))
    }
    return orOk(findings, 'no configuration of a runtime names other folders')
  },
}

function otherFolders(file: RuntimeFile, text: string, { bin, conf }: NodeFolders): readonly Finding[] {
  const values = tomlStrings(text)
  const named = (keys: readonly string[]) => keys.flatMap((key) => values.get(key) ?? [])
  const findings: Finding[] = []
  const compare = (what: string, there: readonly string[], here: string, option: string) => {
    if (there.length === 0 || there.map(trimmed).includes(trimmed(here))) return
    findings.push(
      warning(
        `${file.path}: ${file.runtime} looks for ${what} in ${there.join(', ')}, and not in ${here}`,
        `podfabric install ${option} ${there[0]}, or name ${here} there and start ${file.runtime} anew`,
      ),
    )
  }
  compare('plugins', named(file.bin), bin, '--bin-dir')
  compare('network lists', named(file.conf), conf, '--conf-dir')
  if (values.get('disabled_plugins')?.some((name) => name === 'cri' || name.endsWith('.cri'))) {
    findings.push(
      warning(
        `${file.path}: containerd serves no kubelet, its plugin cri is disabled`,
        `take cri out of disabled_plugins, and start containerd anew`,
      ),
    )
  }
  return findings
}

const trimmed = (folder: string) => folder.replace(/\/+$/, '')

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
