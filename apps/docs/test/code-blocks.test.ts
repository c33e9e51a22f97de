import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { codeBlocks } from '../src/code-blocks.ts'
import { readDocuments } from '../src/documents.ts'
import { checkBlocks, runBlock } from '../src/run-block.ts'
import { workspaceRoot } from '../src/workspace.ts'

/** Where a document's blocks find what they import: its own package; for those of the whole repository, the documentation. */
const home = (path: string) =>
  join(workspaceRoot, path.match(/^packages\/[^/]+|^apps\/[^/]+/)?.[0] ?? 'apps/docs')

const blocks = readDocuments(workspaceRoot).flatMap(({ path, text }) =>
  codeBlocks(text, 'ts').map((block) => ({ path, ...block })),
)

describe('the ts blocks of the READMEs and the documentation', () => {
  it.each(blocks)('run: $path:$line', { timeout: 40_000 }, async ({ path, text }) => {
    const outcome = await runBlock(text, home(path))
    expect(outcome.code, outcome.output).toBe(0)
  })

  // Those of published packages are checked as their users have them, by .ci/packed.ts.
  it('of the documentation have types that fit', { timeout: 60_000 }, async () => {
    const folder = join(workspaceRoot, 'apps/docs')
    const texts = blocks.filter(({ path }) => home(path) === folder).map(({ text }) => text)
    expect(texts.length).toBeGreaterThan(0)
    const outcome = await checkBlocks(texts, folder)
    expect(outcome.code, outcome.output).toBe(0)
  })
})

describe('a block', () => {
  it('is found with its line and without its neighbours of another language', () => {
    const markdown = 'a\n```sh\nls\n```\n\n```ts\nconst a = 1\n```\n```ts\nb\n```\n'
    expect(codeBlocks(markdown, 'ts')).toEqual([
      { language: 'ts', line: 6, text: 'const a = 1\n' },
      { language: 'ts', line: 9, text: 'b\n' },
    ])
  })

  it('that is never closed is an error', () => {
    expect(() => codeBlocks('```ts\nconst a = 1\n', 'ts')).toThrow('line 1')
  })

  it.each([
    ['that throws', `throw new Error('no')`],
    ['with an assertion that fails', `import assert from 'node:assert/strict'\nassert.equal(1, 2)`],
    ['with an export that does not exist', `import { nothing } from '@podfabric/netaddr'\nnothing()`],
    ['that is not TypeScript', 'const = 1'],
  ])('%s fails', async (_what, text) => {
    expect((await runBlock(text, join(workspaceRoot, 'packages/netaddr'))).code).not.toBe(0)
  })

  it('whose types do not fit is told so', { timeout: 60_000 }, async () => {
    const text = `import { contains, prefix } from '@podfabric/netaddr'\ncontains(prefix('10.0.0.0/8'), '10.0.0.1')\n`
    const outcome = await checkBlocks([text], join(workspaceRoot, 'apps/docs'))
    expect(outcome.code).not.toBe(0)
    expect(outcome.output).toMatch(/block-1\.ts.2,\d+.: error TS2345/)
  })
})
