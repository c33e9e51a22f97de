import type { Lab } from '../lab/lab.ts'

/** One sentence of the network model, and how packets show it. */
export interface Proof {
  /** The sentence. */
  readonly claim: string
  /** It sends many packets: a capture of it keeps only the wire between the nodes. */
  readonly bulk?: true
  /** Sends packets and says what it saw. Rejects only when the proof itself could not be made. */
  run(lab: Lab): Promise<Finding>
}

export interface Finding {
  /** `not-shown`: these manifests have nothing to show it with; the first line says what is missing. */
  readonly verdict: 'holds' | 'fails' | 'not-shown'
  /** What was seen, for people, line by line. */
  readonly seen: readonly string[]
}

export function holdsWhen(condition: boolean, seen: readonly string[]): Finding {
  return { verdict: condition ? 'holds' : 'fails', seen }
}

export function notShown(reason: string): Finding {
  return { verdict: 'not-shown', seen: [reason] }
}
