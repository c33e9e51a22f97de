/** Numbers in [0, 1), as Math.random gives; the same seed gives the same ones. Not for secrets. */
export type Random = () => number

/** A seeded source (sfc32 over a splitmix32 seed). `seed` is any number; its lowest 32 bits count. */
export function seededRandom(seed: number): Random {
  let mixed = seed >>> 0
  const split = (): number => {
    mixed = (mixed + 0x9e37_79b9) | 0
    let z = Math.imul(mixed ^ (mixed >>> 16), 0x21f0_aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a_2d97)
    return z ^ (z >>> 15)
  }
  let a = split()
  let b = split()
  let c = split()
  let counter = 1
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + t) | 0
    return (t >>> 0) / 0x1_0000_0000
  }
  for (let i = 0; i < 12; i++) next()
  return next
}
