import { spawn } from 'node:child_process'
import { closeSync, writeSync } from 'node:fs'
import { type Errno, formatNft, KernelError, type NftCommand, type NftObject } from '@podfabric/kernel'
import { checked, type Label, labelText } from './errno.ts'
import { inNamespace } from './namespace-window.ts'
import { readRuleset } from './nft-json.ts'
import type { Syscalls } from './syscall.ts'

/** Applies the commands as one transaction, through nft(8) started within the namespace. */
export async function applyNft(
  sys: Syscalls,
  namespaceFd: number,
  commands: readonly NftCommand[],
  label: Label,
): Promise<void> {
  if (commands.length === 0) return
  await runNft(sys, namespaceFd, ['-f', '/dev/stdin'], scriptOf(commands, label), label)
}

function scriptOf(commands: readonly NftCommand[], label: Label): string {
  try {
    return commands.map((command) => `${formatNft(command)}\n`).join('')
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new KernelError('EINVAL', labelText(label), error.message, { cause: error })
  }
}

export async function listNft(sys: Syscalls, namespaceFd: number): Promise<readonly NftObject[]> {
  const label = 'nft list ruleset'
  const output = await runNft(sys, namespaceFd, ['-j', '-y', 'list', 'ruleset'], '', label)
  return readRuleset(output, label)
}

async function runNft(
  sys: Syscalls,
  namespaceFd: number,
  args: readonly string[],
  input: string,
  label: Label,
): Promise<string> {
  // nft opens its input again by path, which a pipe of this runtime does not survive.
  const file = checked(sys.memoryFile('nft'), 'memfd_create')
  try {
    writeSync(file, input, 0)
    return await outputOf(sys, namespaceFd, args, file, label)
  } finally {
    closeSync(file)
  }
}

function outputOf(sys: Syscalls, namespaceFd: number, args: readonly string[], file: number, label: Label) {
  return new Promise<string>((resolve, reject) => {
    const child = inNamespace(sys, namespaceFd, () =>
      spawn('nft', args, { stdio: [file, 'pipe', 'pipe'], env: { PATH: process.env.PATH, LC_ALL: 'C' } }),
    )
    let output = ''
    let complaint = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint += text
    })
    child.on('error', (cause) => {
      const reason = 'the command nft could not be started; install nftables'
      reject(new KernelError('EOPNOTSUPP', labelText(label), reason, { cause }))
    })
    child.on('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new KernelError(errnoOf(complaint), labelText(label), reasonOf(complaint, code)))
    })
  })
}

const complaints: readonly (readonly [RegExp, Errno])[] = [
  [/no such file or directory|does not exist/i, 'ENOENT'],
  [/file exists/i, 'EEXIST'],
  [/operation not permitted|permission denied/i, 'EPERM'],
  [/device or resource busy/i, 'EBUSY'],
  [/not supported/i, 'EOPNOTSUPP'],
]

/** nft prints strerror's words only. */
function errnoOf(complaint: string): Errno {
  return complaints.find(([pattern]) => pattern.test(complaint))?.[1] ?? 'EINVAL'
}

function reasonOf(complaint: string, code: number | null): string {
  const line = complaint.split('\n').find((one) => one.includes('Error:'))
  return line?.slice(line.indexOf('Error:') + 'Error:'.length).trim() ?? `nft ended with ${code}`
}
