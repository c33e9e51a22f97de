import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exitCodeOf } from './failure.ts'
import { loadManifests } from './manifests.ts'

const notes: string[] = []
const output = { line: () => undefined, note: (text: string) => void notes.push(text) }
let folder = ''

beforeEach(async () => {
  notes.length = 0
  folder = await mkdtemp(join(tmpdir(), 'manifests-'))
})
afterEach(() => rm(folder, { recursive: true }))

const pod = (name: string, port: unknown) =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name} }\nspec:\n  containers:\n    - name: c\n      ports:\n        - containerPort: ${port}\n`

describe('loadManifests', () => {
  it('reads the shipped manifests without a warning', async () => {
    const shipped = fileURLToPath(new URL('../manifests', import.meta.url))
    const objects = await loadManifests([shipped], output)
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Deployment frontend',
      'Service orderservice',
      'Deployment orderservice',
      'Pod web',
    ])
    expect(notes).toEqual([])
  })

  it('reads a folder by name and several documents of a file in order', async () => {
    await writeFile(join(folder, 'b.yaml'), `${pod('two', 80)}---\n${pod('three', 81)}`)
    await writeFile(join(folder, 'a.yml'), pod('one', 80))
    await writeFile(join(folder, 'notes.txt'), 'not a manifest')
    const objects = await loadManifests([folder], output)
    expect(objects.map(({ metadata }) => metadata.name)).toEqual(['one', 'two', 'three'])
  })

  it('names file, line and path of every mistake, and returns nothing', async () => {
    await writeFile(join(folder, 'a.yaml'), pod('one', 70000))
    await writeFile(join(folder, 'b.yaml'), pod('two', 'eighty'))
    const failure = await loadManifests([folder], output).catch((error: unknown) => error)
    const [first, second] = String(failure instanceof Error ? failure.message : failure).split('\n')
    expect(first).toMatch(/a\.yaml:8:\d+: spec\.containers\[0\]\.ports\[0\]\.containerPort: expected .*65535/)
    expect(second).toMatch(/b\.yaml:8:/)
    expect(exitCodeOf(failure)).toBe(2)
  })

  it('notes what is not implemented', async () => {
    await writeFile(
      join(folder, 'a.yaml'),
      `${pod('one', 80)}---\napiVersion: batch/v1\nkind: CronJob\nmetadata: { name: x }\n`,
    )
    await loadManifests([folder], output)
    expect(notes).toEqual([expect.stringMatching(/warning: .*a\.yaml:11:.*CronJob/)])
  })

  it.each([
    ['missing.yaml', /no such file or folder/],
    ['', /no \.yaml/],
  ])('refuses the path "%s"', async (path, message) => {
    await expect(loadManifests([join(folder, path)], output)).rejects.toThrow(message)
  })

  it('refuses a file that is not text', async () => {
    await writeFile(join(folder, 'a.yaml'), Uint8Array.of(0xff, 0xfe, 0x00))
    await expect(loadManifests([folder], output)).rejects.toThrow(/not UTF-8/)
  })
})
