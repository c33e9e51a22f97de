import { type TcpHeader, tcpFlags } from './tcp.ts'
import type { TcpOption } from './tcp-option.ts'

const LETTERS = [
  [tcpFlags.fin, 'F'],
  [tcpFlags.syn, 'S'],
  [tcpFlags.rst, 'R'],
  [tcpFlags.psh, 'P'],
  [tcpFlags.ack, '.'],
  [tcpFlags.urg, 'U'],
  [tcpFlags.ece, 'E'],
  [tcpFlags.cwr, 'W'],
  [tcpFlags.ae, 'e'],
] as const

/** As tcpdump -S writes it: `Flags [S.], seq 1, ack 2, win 65535, options [mss 1460], length 0`. */
export function formatTcp(header: TcpHeader, length: number): string {
  const { sequence, flags, options } = header
  const parts = [`Flags [${formatTcpFlags(flags)}]`]
  const shown = length > 0 || (flags & (tcpFlags.syn | tcpFlags.fin | tcpFlags.rst)) !== 0
  if (shown) parts.push(length > 0 ? `seq ${sequence}:${(sequence + length) >>> 0}` : `seq ${sequence}`)
  if ((flags & tcpFlags.ack) !== 0) parts.push(`ack ${header.acknowledgment}`)
  parts.push(`win ${header.window}`)
  if ((flags & tcpFlags.urg) !== 0) parts.push(`urg ${header.urgentPointer}`)
  if (options.length > 0) parts.push(`options [${options.map(formatOption).join(',')}]`)
  parts.push(`length ${length}`)
  return parts.join(', ')
}

/** tcpdump's letters: `S.` for SYN and ACK; `none` without any. */
export function formatTcpFlags(flags: number): string {
  let text = ''
  for (const [bit, letter] of LETTERS) if ((flags & bit) !== 0) text += letter
  return text === '' ? 'none' : text
}

function formatOption(option: TcpOption): string {
  switch (option.kind) {
    case 'nop':
      return 'nop'
    case 'mss':
      return `mss ${option.size}`
    case 'window-scale':
      return `wscale ${option.shift}`
    case 'sack-permitted':
      return 'sackOK'
    case 'sack':
      return `sack ${option.blocks.length} ${option.blocks.map(({ left, right }) => `{${left}:${right}}`).join('')}`
    case 'timestamps':
      return `TS val ${option.value} ecr ${option.echo}`
    case 'other':
      return `unknown-${option.type}`
  }
}
