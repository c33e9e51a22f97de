import fc from 'fast-check'
import { describe, it } from 'vitest'
import type { Codec } from '../src/codec.ts'
import { type CodecExample, type CodecSamples, codecLaws } from '../src/testing/index.ts'

/** The laws on the given examples, and on generated ones and random octets as properties. */
export function testCodec<H, C>(
  codec: Codec<H, C>,
  samples: CodecSamples<H, C> & { readonly arbitrary: fc.Arbitrary<CodecExample<H, C>> },
): void {
  const { arbitrary, ...given } = samples
  describe(codec.name, () => {
    for (const law of codecLaws(codec, given)) it(law.name, () => law.run())

    it('keeps its laws for generated headers', async () => {
      await fc.assert(
        fc.asyncProperty(arbitrary, async (example) => {
          for (const law of codecLaws(codec, { ...given, captured: [], examples: [example], noise: [] }))
            await law.run()
        }),
      )
    })

    it('throws nothing but WireError for random octets', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
          for (const law of codecLaws(codec, { ...given, captured: [], examples: [], noise: [bytes] }))
            await law.run()
        }),
      )
    })
  })
}
