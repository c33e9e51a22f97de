import { parseNetworkList } from '@podfabric/cni'
import { describe, expect, it } from 'vitest'
import { parseOptions } from '../../../packages/conformance/src/bin/options.ts'
import { readCommandLine } from '../../podfabric/src/program.ts'
import { codeBlocks } from '../src/code-blocks.ts'
import { brokenLinks, commandLines, type Document, headings, readDocuments } from '../src/documents.ts'
import { readWorkspace, workspaceRoot } from '../src/workspace.ts'

const documents = readDocuments(workspaceRoot)
const named = (path: string) => documents.find((document) => document.path === path) as Document

describe('the documents', () => {
  it('link to files that are there', () => {
    expect(documents.flatMap((document) => brokenLinks(workspaceRoot, document))).toEqual([])
  })

  it('show commands that the command line takes', () => {
    const refused = documents.flatMap(({ path, text }) =>
      commandLines(text, 'podfabric').flatMap((words) => {
        const reading = readCommandLine(words, '0')
        return 'invocation' in reading || reading.exitCode === 0
          ? []
          : [`${path}: podfabric ${words.join(' ')}: ${reading.text}`]
      }),
    )
    expect(refused).toEqual([])
  })

  it('show commands that the conformance suite takes', () => {
    const shown = documents.flatMap(({ text }) => commandLines(text, 'cni-conformance'))
    expect(shown.length).toBeGreaterThan(0)
    for (const words of shown) expect(() => parseOptions(words, {}), words.join(' ')).not.toThrow()
  })

  it('show network lists that a runtime takes', () => {
    const lists = documents.flatMap(({ path, text }) =>
      codeBlocks(text, 'json').map((block) => ({ what: `${path}:${block.line}`, text: block.text })),
    )
    const networks = lists.filter(({ text }) => text.includes('"plugins"'))
    expect(networks.length).toBeGreaterThan(0)
    for (const { what, text } of networks) expect(() => parseNetworkList(text, { what }), what).not.toThrow()
  })

  it('have the terms of the glossary once, in order', () => {
    const rows = named('apps/docs/glossary.md').text.matchAll(/^\| (.*?) \|/gm)
    const terms = [...rows].slice(2).map((match) => (match[1] ?? '').toLowerCase())
    expect(terms.length).toBeGreaterThan(50)
    expect(terms).toEqual([...new Set(terms)].sort())
  })
})

describe('every package has a README in its form', () => {
  const library = ['## Use', '## Contract', '## Errors', '## Not supported']
  const plugin = [
    '## Name',
    '## Description',
    '## Configuration',
    '## Result',
    '## Errors',
    '## Not supported',
    '## Example',
  ]
  const packages = readWorkspace().filter(({ name }) => !name.startsWith('apps/'))

  it.each(packages)('$name', ({ name, manifest }) => {
    const { text } = named(`packages/${name}/README.md`)
    const form = name.startsWith('plugin-') ? plugin : library
    expect(headings(text)[0]).toBe(`# ${manifest.name}`)
    expect(headings(text).filter((heading) => form.includes(heading))).toEqual(form)
    // A plugin may show a configuration instead.
    const shown = [...codeBlocks(text, 'ts'), ...(name.startsWith('plugin-') ? codeBlocks(text, 'json') : [])]
    expect(shown.length).toBeGreaterThan(0)
  })
})

describe('the decisions', () => {
  const decisions = documents.filter(({ path }) => /decisions\/\d/.test(path))

  it('are numbered without a gap and listed', () => {
    const index = named('apps/docs/decisions/README.md').text
    const listed = [...index.matchAll(/^\| \[(\d+)\]\((.*?)\) \| (.*?) \|$/gm)].map(([, ...cells]) => cells)
    expect(listed).toEqual(
      decisions.map(({ path, text }, position) => {
        const number = String(position + 1).padStart(4, '0')
        return [number, path.split('/').at(-1), headings(text)[0]?.replace(`# ${number}: `, '')]
      }),
    )
  })

  it.each(decisions)('$path says what, why, what else, and at what cost', ({ text }) => {
    const form = ['## Decision', '## Why', '## Alternatives', '## Cost']
    expect(headings(text).slice(1)).toEqual(form)
  })
})

describe('a document', () => {
  const root = workspaceRoot

  it('with a link to nowhere is told so, and one with links elsewhere is not', () => {
    const text = '[a](b.md) [c](https://example.com) [d](README.md#x) [e](#f)\n```\n[g](h.md)\n```\n'
    expect(brokenLinks(root, { path: 'x.md', text })).toEqual(['x.md: b.md'])
  })

  it('has the commands in its shell blocks alone', () => {
    const text =
      'npx podfabric up\n```sh\nnpm test\nnpx podfabric ping --all # every pair\npodfabric down\n```\n'
    expect(commandLines(text, 'podfabric')).toEqual([['ping', '--all'], ['down']])
  })

  it('has no headings in its code', () => {
    expect(headings('# a\n```sh\n# b\n```\n## c\n')).toEqual(['# a', '## c'])
  })
})
