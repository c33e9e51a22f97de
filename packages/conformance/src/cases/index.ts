import type { Case } from '../case.ts'
import { addCases } from './add.ts'
import { delCases } from './del.ts'
import { versionCases } from './version.ts'

/** The suite: every case, family by family. */
export const cases: readonly Case[] = [...versionCases, ...addCases, ...delCases]
