import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { podfabric } from './fixtures/run-podfabric.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

function block(language: string): string {
  const [, text] = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(readme) ?? []
  if (text === undefined) throw new Error(`the README has no block of ${language}`)
  return text
}

describe('the README', () => {
  it('shows what the commands print', { timeout: 60_000 }, async () => {
    const pf = podfabric()
    pf.write('shop.yaml', block('yaml'))
    for (const part of block('console')
      .split(/^\$ podfabric /m)
      .slice(1)) {
      const [command = '', ...shown] = part.trimEnd().split('\n')
      const { stdout, stderr } = await pf.run(...command.split(' '))
      // The two streams are read apart here; a terminal shows one of them first.
      const seen = [`${stdout}${stderr}`, `${stderr}${stdout}`]
      expect(seen).toContainEqual(expect.stringMatching(patternOf(shown)))
    }
  })
})

/** `…` alone stands for any lines, at the end of a line for the rest of it; after the last line there may be more. */
function patternOf(lines: readonly string[]): RegExp {
  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const parts = lines.map((line) => {
    if (line === '…') return '(?:.*\\n)*?'
    return line.endsWith('…') ? `${literal(line.slice(0, -1))}.*\\n` : `${literal(line)}\\n`
  })
  return new RegExp(`^${parts.join('')}`)
}
