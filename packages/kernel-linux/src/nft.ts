import { KernelError, type NftCommand, type NftObject } from '@podfabric/kernel'
import { kernelError, type Label } from './errno.ts'
import { Attributes, NLM_F_ACK, NLM_F_ACK_TLVS } from './netlink-message.ts'
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink-socket.ts'
import { generation, readRuleset } from './nft-list.ts'
import { batchBegin, batchEnd, NFGEN_LENGTH, NFT_DELSET, NFT_GETSET, nftMessage } from './nft-message.ts'
import { readSetFacts } from './nft-set.ts'
import { blamed, commandText, type NftSetLookup, type NftStep, transactionSteps } from './nft-transaction.ts'
import type { Syscalls } from './syscall.ts'

const NLMSGERR_ATTR_MSG = 1
const NLMSGERR_ATTR_OFFS = 2

/** Applies the commands as one transaction of nfnetlink. The error is the first command's that was refused. */
export function applyNft(
  sys: Syscalls,
  namespaceFd: number,
  commands: readonly NftCommand[],
  label: Label,
): void {
  if (commands.length === 0) return
  const socket = openNetfilter(sys, namespaceFd, label)
  try {
    const steps = transactionSteps(commands, setLookup(socket), (before) =>
      send(socket, before, 'try', label),
    )
    send(socket, steps, 'apply', label)
  } finally {
    socket.close()
  }
}

/**
 * To try is to have a last message that no kernel takes, so that all in front of it is looked at and taken back. The error
 * is the first command's that was refused.
 */
function send(
  socket: NetlinkSocket,
  steps: readonly NftStep[],
  purpose: 'apply' | 'try',
  label: Label,
): void {
  const last = steps.at(-1)?.writer
  if (last === undefined) return
  const sequence = socket.reserve(steps.length + 2)
  const end = purpose === 'apply' ? batchEnd() : nftMessage(NFT_DELSET, 'inet')
  const messages = [
    batchBegin().finish(sequence, 0),
    ...steps.map(({ writer }, i) => writer.finish(sequence + 1 + i, writer === last ? NLM_F_ACK : 0)),
    end.finish(sequence + 1 + steps.length, 0),
  ]
  const failure = socket.batch(messages, sequence, label)
  if (failure === undefined || (purpose === 'try' && failure.sequence > sequence + steps.length)) return
  const step = steps[failure.sequence - sequence - 1]
  const operation = step === undefined ? label : () => commandText(step.command)
  const message = messages[failure.sequence - sequence]
  throw kernelError(failure.result, operation, reasonOf(failure, message))
}

export async function listNft(sys: Syscalls, namespaceFd: number): Promise<readonly NftObject[]> {
  const socket = openNetfilter(sys, namespaceFd, 'nft list ruleset')
  try {
    return readRuleset(socket)
  } finally {
    socket.close()
  }
}

/** Which ruleset the namespace has now: another number after every transaction. EOPNOTSUPP without nftables. */
export function nftGeneration(sys: Syscalls, namespaceFd: number): number {
  const socket = openNetfilter(sys, namespaceFd, 'nft list ruleset')
  try {
    return generation(socket)
  } finally {
    socket.close()
  }
}

/** EOPNOTSUPP where the kernel has no nfnetlink at all. */
function openNetfilter(sys: Syscalls, namespaceFd: number, label: Label): NetlinkSocket {
  try {
    return new NetlinkSocket(sys, namespaceFd, NETLINK_NETFILTER)
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== 'EPROTONOSUPPORT') throw error
    throw new KernelError(
      'EOPNOTSUPP',
      typeof label === 'string' ? label : label(),
      'this kernel has no nftables: no netlink of netfilter (nfnetlink, nf_tables)',
      { cause: error },
    )
  }
}

function setLookup(socket: NetlinkSocket): NftSetLookup {
  return (family, table, name) => {
    const operation = `nft list set ${family} ${table} ${name}`
    const ask = nftMessage(NFT_GETSET, family).attributeText(1, table).attributeText(2, name)
    const [message] = socket.request(ask, operation)
    const facts =
      message === undefined ? undefined : readSetFacts(new Attributes(message.payload, NFGEN_LENGTH))
    if (facts !== undefined) return facts
    throw new KernelError('EOPNOTSUPP', operation, 'it is of a kind that this contract has no words for')
  }
}

/** The kernel's own words where it has some, or which of the names it did not take. */
function reasonOf(
  {
    result,
    flags,
    payload,
  }: { readonly result: number; readonly flags: number; readonly payload: Uint8Array },
  message: Uint8Array | undefined,
): string | undefined {
  if ((flags & NLM_F_ACK_TLVS) === 0) return undefined
  const told = new Attributes(payload, 20)
  const words = told.text(NLMSGERR_ATTR_MSG)
  if (words !== undefined) return words.charAt(0).toLowerCase() + words.slice(1)
  const offset = told.u32(NLMSGERR_ATTR_OFFS)
  const what = message === undefined || offset === undefined ? undefined : blamed(message, offset)
  if (what === undefined) return undefined
  const { message: text } = kernelError(result, '')
  return `${what}: ${text.replace(/^: /, '').replace(/ \([A-Z0-9]+\)$/, '')}`
}
