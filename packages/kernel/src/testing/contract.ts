import { addressCases } from './address-cases.ts'
import { Bed, type CaseBody } from './bed.ts'
import { bridgeCases } from './bridge-cases.ts'
import { captureCases } from './capture-cases.ts'
import { changesCases } from './changes-cases.ts'
import { destinationCases } from './destination-cases.ts'
import { fdbCases } from './fdb-cases.ts'
import { forwardingCases } from './forwarding-cases.ts'
import type { ContractCase, Feature, Lab } from './lab.ts'
import { linkCases } from './link-cases.ts'
import { neighborCases } from './neighbor-cases.ts'
import { netnsCases } from './netns-cases.ts'
import { nftCases } from './nft-cases.ts'
import { nftMapCases } from './nft-map-cases.ts'
import { operationCases } from './operation-cases.ts'
import { routeCases } from './route-cases.ts'
import { ruleCases } from './rule-cases.ts'
import { socketCases } from './socket-cases.ts'
import { tcpCases } from './tcp-cases.ts'
import { vxlanCases } from './vxlan-cases.ts'

const bodies: readonly CaseBody[] = [
  ...netnsCases,
  ...operationCases,
  ...linkCases,
  ...addressCases,
  ...routeCases,
  ...ruleCases,
  ...neighborCases,
  ...fdbCases,
  ...socketCases,
  ...destinationCases,
  ...tcpCases,
  ...forwardingCases,
  ...bridgeCases,
  ...vxlanCases,
  ...changesCases,
  ...captureCases,
  ...nftCases,
  ...nftMapCases,
]

/**
 * The kernel contract as data: every case opens its own lab, asks only what the contract says, and closes
 * the lab again. Cases that need a feature outside `supports` say so in `skip`.
 */
export function kernelContract(
  lab: () => Promise<Lab>,
  options: { readonly supports: readonly Feature[] },
): readonly ContractCase[] {
  return bodies.map(({ name, requires = [], run }) => {
    const missing = requires.filter((feature) => !options.supports.includes(feature))
    return {
      name,
      requires,
      ...(missing.length > 0 ? { skip: `this kernel has no ${missing.join(', ')}` } : {}),
      run: () => runIn(lab, run),
    }
  })
}

async function runIn(lab: () => Promise<Lab>, run: CaseBody['run']): Promise<void> {
  const bed = new Bed(await lab())
  let failure: { readonly error: unknown } | undefined
  try {
    await run(bed)
  } catch (error) {
    failure = { error }
  }
  try {
    await bed.close()
  } catch (error) {
    failure ??= { error }
  }
  if (failure !== undefined) throw failure.error
}
