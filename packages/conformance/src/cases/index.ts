import type { Case } from '../case.ts'
import { addCases } from './add.ts'
import { checkCases } from './check.ts'
import { connectivityCases } from './connectivity.ts'
import { delCases } from './del.ts'
import { faultCases } from './faults.ts'
import { gcCases } from './gc.ts'
import { ipamCases } from './ipam.ts'
import { mtuCases } from './mtu.ts'
import { noNatCases } from './no-nat.ts'
import { statusCases } from './status.ts'
import { versionCases } from './version.ts'

/** The suite: every case, family by family. */
export const cases: readonly Case[] = [
  ...versionCases,
  ...addCases,
  ...checkCases,
  ...delCases,
  ...gcCases,
  ...statusCases,
  ...ipamCases,
  ...connectivityCases,
  ...noNatCases,
  ...mtuCases,
  ...faultCases,
]
