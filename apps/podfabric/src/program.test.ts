import { describe, expect, it } from 'vitest'
import { readCommandLine } from './program.ts'

const read = (line: string) =>
  readCommandLine(
    line.split(' ').filter((word) => word !== ''),
    '1.2.3',
  )

describe('readCommandLine', () => {
  it.each([
    ['get pods -n shop -o json', 'get', ['pods'], { namespace: 'shop', output: 'json' }],
    ['node add', 'node add', [], {}],
    ['node fail node-2', 'node fail', ['node-2'], {}],
    [
      'trace web svc/orders:80 --dropped-only',
      'trace',
      ['web', 'svc/orders:80'],
      { droppedOnly: true, output: 'table' },
    ],
    ['dns query orders --type SRV', 'dns query', ['orders'], { type: 'SRV' }],
    ['up -f a.yaml b --nodes 3', 'up', [], { file: ['a.yaml', 'b'], nodes: 3, seed: 1, plugin: 'flannel' }],
    ['scale deployment/web 13', 'scale', ['deployment/web', '13'], {}],
    ['rollout restart deployment/web', 'rollout restart', ['deployment/web'], {}],
    ['decode a.pcap --no-checksums', 'decode', ['a.pcap'], { checksums: false }],
  ])('reads "%s"', (line, command, args, options) => {
    expect(read(line)).toEqual({ invocation: { command, args, options: expect.objectContaining(options) } })
  })

  it.each([
    ['fly', /unknown command 'fly'/],
    ['get cats', /expected one of nodes, pods/],
    ['get pods -o xml', /Allowed choices are table, json, yaml/],
    ['get pods --colour', /unknown option '--colour'/],
    ['up', /required option '-f, --file <path...>' not specified/],
    ['up -f a --nodes 0', /expected a whole number from 1 to 250/],
    ['scale deployment/web many', /expected a whole number/],
    ['trace web', /missing required argument 'to\[:port\]'/],
    ['ping a b c', /too many arguments/],
    ['node', /Usage: podfabric node/],
  ])('refuses "%s" with one clear error', (line, message) => {
    expect(read(line)).toEqual({ text: expect.stringMatching(message), exitCode: 2 })
  })

  it('suggests what was meant', () => {
    expect(read('pin a b')).toEqual({ text: expect.stringContaining('Did you mean ping?'), exitCode: 2 })
  })

  it.each(['--help', 'up --help', 'node --help', 'trace --help'])('explains "%s"', (line) => {
    expect(read(line)).toEqual({ text: expect.stringContaining('Usage: podfabric'), exitCode: 0 })
  })

  it('gives examples for commands', () => {
    expect(read('trace --help')).toEqual({
      text: expect.stringContaining('Examples:\n  podfabric trace'),
      exitCode: 0,
    })
  })

  it('shows the help when nothing is asked', () => {
    expect(read('')).toEqual({
      text: expect.stringContaining('Usage: podfabric'),
      exitCode: expect.any(Number),
    })
  })

  it('says its version', () => {
    expect(read('--version')).toEqual({ text: '1.2.3', exitCode: 0 })
  })
})
