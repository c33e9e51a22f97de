// Measures our code beside a reference in the same run, interleaved, by CPU time: on a busy machine only the ratios
// mean something.

export interface Contender {
  readonly name: string
  /** Does the operation `count` times and returns something that depends on the results. */
  run(count: number): number
}

/** Something measured by another process in the same run: nanoseconds of CPU time per operation. */
export interface Measured {
  readonly name: string
  readonly nanoseconds: number
}

const ROUNDS = 7
const ROUND_MS = 20
let sink = 0

/** Prints nanoseconds per operation of each, and ours, the first, as a multiple of the others. */
export function compare(
  title: string,
  contenders: readonly Contender[],
  measured: readonly Measured[] = [],
): void {
  const counts = contenders.map(calibrate)
  const times = contenders.map((): number[] => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, contender] of contenders.entries()) times[i]?.push(measure(contender, counts[i] ?? 1))
  }
  const medians = times.map((list) => list.sort((a, b) => a - b)[ROUNDS >> 1] ?? 0)
  const rows = contenders.map(({ name }, i) => ({ name, nanoseconds: medians[i] ?? 0 }))
  const ours = medians[0] ?? 0
  console.log(title)
  for (const { name, nanoseconds } of [...rows, ...measured]) {
    const ratio = (ours / nanoseconds).toFixed(2)
    console.log(`  ${name.padEnd(44)}${nanoseconds.toFixed(1).padStart(10)} ns  ours is ${ratio}x of it`)
  }
  if (sink === Number.MIN_VALUE) console.log(sink)
}

/** So many operations that a round takes long enough to be measured; warms up on the way. */
function calibrate(contender: Contender): number {
  let count = 1
  for (;;) {
    const ns = measure(contender, count) * count
    if (ns >= ROUND_MS * 1e6) return count
    count = ns < 1e6 ? count * 8 : Math.ceil((count * ROUND_MS * 1.2e6) / ns)
  }
}

function measure(contender: Contender, count: number): number {
  const before = process.cpuUsage()
  sink += contender.run(count)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / count
}
