import { kernelContract } from '@podfabric/kernel/testing'
import { linuxFeatures, linuxLab } from '../src/testing/lab.ts'

// Runs the contract tests without a runner and prints one line of JSON for each: for a process that was started
// in a user namespace of its own.
for (const { name, skip, run } of kernelContract(linuxLab, { supports: linuxFeatures() })) {
  if (skip !== undefined) continue
  const failure = await run().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? (error.stack ?? error.message) : String(error)),
  )
  process.stdout.write(`${JSON.stringify({ name, failure })}\n`)
}
