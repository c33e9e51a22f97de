import { kernelContract } from '@podfabric/kernel/testing'
import { describe, it } from 'vitest'
import { rootlessMissing, runRootless } from '../test/rootless.ts'
import { linuxAvailable } from './availability.ts'
import { linuxFeatures, linuxLab } from './testing/lab.ts'

const cases = kernelContract(linuxLab, { supports: linuxFeatures() })
const availability = linuxAvailable()
const missing = availability.available ? undefined : rootlessMissing()

if (availability.available) {
  describe('the kernel contract on Linux', () => {
    for (const { name, skip, run } of cases) {
      if (skip === undefined) it(name, run)
      else it.skip(`${name} (skipped: ${skip})`)
    }
  })
} else if (missing === undefined) {
  const outcomeOf = runRootless()
  describe('the kernel contract on Linux, in a user namespace', () => {
    for (const { name, skip } of cases) {
      if (skip === undefined) it(name, () => outcomeOf(name))
      else it.skip(`${name} (skipped: ${skip})`)
    }
  })
} else {
  const reason = `${availability.reason}; ${missing}`
  describe.skip(`the kernel contract on Linux (skipped: ${reason})`, () => {
    for (const { name } of cases) it(name, () => undefined)
  })
}
