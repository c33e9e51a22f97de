import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep, systemClock } from '@podfabric/kernel'
import type { Subject } from '@podfabric/kernel/testing'
import { linux } from '@podfabric/kernel-linux'
import { simulate } from '@podfabric/kernel-sim'

export interface Pair extends AsyncDisposable {
  readonly subjects: readonly [Subject, Subject]
}

/** The simulated kernel and this machine's, in namespaces of their own. */
export function bothKernels(): Pair {
  const network = simulate({ seed: 1 })
  // Time passes by request only, or it would run away while Linux works.
  const hold = network.clock.hold()
  const directory = mkdtempSync(join(tmpdir(), 'differential-'))
  const machine = linux({ directory })
  return {
    subjects: [
      {
        name: 'the simulation',
        kernel: network.node('node'),
        pass: (time) => network.clock.advance(time),
      },
      { name: 'Linux', kernel: machine, pass: (time) => sleep(systemClock, time) },
    ],
    async [Symbol.asyncDispose]() {
      for (const { name } of await machine.netns.list()) await machine.netns.delete(name)
      await machine[Symbol.asyncDispose]()
      hold[Symbol.dispose]()
      rmSync(directory, { recursive: true })
    },
  }
}
