import { kernelContract } from '@podfabric/kernel/testing'
import { describe, it } from 'vitest'
import { linuxAvailable } from './availability.ts'
import { linuxLab } from './lab.fixture.ts'

const availability = linuxAvailable()
const reason = availability.available ? '' : ` (skipped: ${availability.reason})`

describe.skipIf(!availability.available)(`the kernel contract on Linux${reason}`, () => {
  for (const { name, skip, run } of kernelContract(linuxLab, { supports: ['nft', 'conntrack'] })) {
    if (skip !== undefined) it.skip(`${name} (${skip})`)
    else it(name, run)
  }
})
