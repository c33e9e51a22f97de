import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { codeBlocks } from '../src/code-blocks.ts'
import { runBlock } from '../src/run-block.ts'
import { workspaceRoot } from '../src/workspace.ts'

const documents = globSync(['README.md', 'packages/*/README.md', 'apps/*/*.md'], {
  cwd: workspaceRoot,
}).sort()
const blocks = documents.flatMap((document) =>
  codeBlocks(readFileSync(join(workspaceRoot, document), 'utf8'), 'ts').map((block) => ({
    document,
    ...block,
  })),
)

describe('the ts blocks of the READMEs and the documentation run', () => {
  it.each(blocks)('$document:$line', { timeout: 40_000 }, async ({ document, text }) => {
    const outcome = await runBlock(text, dirname(join(workspaceRoot, document)))
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
})
