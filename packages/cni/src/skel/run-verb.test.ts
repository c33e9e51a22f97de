import { ip, prefix } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CniError } from '../error.ts'
import type { PluginFactory } from '../plugin.ts'
import { type RecordedCall, type RecordingScript, recordingPlugin } from '../testing/index.ts'
import { cniVersions } from '../version.ts'
import { pluginHost } from './host.ts'
import { runVerb } from './run-verb.ts'

const addEnv = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/c1', CNI_IFNAME: 'eth0' }
const config = { cniVersion: '1.1.0', name: 'net', type: 'noop' }

function subject(script: RecordingScript = {}) {
  const calls: RecordedCall[] = []
  return { calls, ...hosted(recordingPlugin('noop', calls, script)) }
}

function hosted(factory: PluginFactory) {
  const warnings: string[] = []
  const host = pluginHost(factory, () => {
    // The recording plugin touches nothing of its context.
    return {} as never
  })
  const run = async (env: Record<string, string>, stdin: object | string | Uint8Array) => {
    const given = typeof stdin === 'string' || stdin instanceof Uint8Array ? stdin : JSON.stringify(stdin)
    const output = await runVerb({ env, stdin: given, warn: (message) => warnings.push(message) }, host)
    const document: unknown = output.stdout === '' ? undefined : JSON.parse(output.stdout)
    return { ...output, document }
  }
  return { run, warnings }
}

describe('one call of a plugin', () => {
  it('is answered in the version that it asked in', async () => {
    const result = {
      interfaces: [{ name: 'eth0', mtu: 1500, sandbox: '/run/netns/c1' }],
      ips: [],
      routes: [{ destination: prefix('0.0.0.0/0'), gateway: ip('10.0.0.1'), mtu: 1400 }],
    }
    const { run } = subject({ result })
    for (const cniVersion of cniVersions) {
      const { document, exitCode } = await run(addEnv, { ...config, cniVersion })
      expect(exitCode).toBe(0)
      expect(document).toMatchObject({ cniVersion })
      expect(JSON.stringify(document).includes('mtu')).toBe(cniVersion === '1.1.0')
    }
  })

  it('prints nothing where a verb has nothing to say', async () => {
    const { run, calls } = subject()
    const prevResult = { cniVersion: '1.1.0', interfaces: [{ name: 'eth0' }] }
    for (const CNI_COMMAND of ['CHECK', 'DEL', 'GC', 'STATUS']) {
      const stdin = { ...config, prevResult, 'cni.dev/valid-attachments': [] }
      expect(await run({ ...addEnv, CNI_COMMAND }, stdin)).toMatchObject({ stdout: '', exitCode: 0 })
    }
    expect(calls.map(({ command }) => command)).toEqual(['CHECK', 'DEL', 'GC', 'STATUS'])
    expect(calls[0]?.request).toMatchObject({ prevResult: { interfaces: [{ name: 'eth0' }] } })
  })

  it('tells versions, with the one that was asked for, and needs nothing but the command', async () => {
    const { run } = subject({ versions: ['1.0.0', '1.1.0'] })
    const env = { CNI_COMMAND: 'VERSION' }
    const supportedVersions = ['1.0.0', '1.1.0']
    expect((await run(env, { cniVersion: '0.4.0' })).document).toEqual({
      cniVersion: '0.4.0',
      supportedVersions,
    })
    expect((await run(env, '')).document).toEqual({ cniVersion: '1.1.0', supportedVersions })
  })

  it('refuses versions and verbs that the version does not have with code 1', async () => {
    const { run, calls } = subject({ versions: ['0.3.1', '0.4.0', '1.0.0'] })
    expect((await run(addEnv, { ...config, cniVersion: '9.9.9' })).document).toMatchObject({
      code: 1,
      cniVersion: '9.9.9',
      details: 'served are 0.3.1, 0.4.0, 1.0.0',
    })
    for (const [CNI_COMMAND, cniVersion] of [
      ['CHECK', '0.3.1'],
      ['GC', '1.0.0'],
      ['STATUS', '1.0.0'],
    ] as const) {
      const { document } = await run({ ...addEnv, CNI_COMMAND }, { ...config, cniVersion })
      expect(document).toMatchObject({ code: 1, cniVersion })
    }
    // No version means the oldest, which this plugin does not serve.
    expect((await run(addEnv, { name: 'net', type: 'noop' })).document).toMatchObject({ code: 1 })
    expect(calls).toEqual([])
  })

  it.each<[string, object | string | Uint8Array, number, string]>([
    ['nothing', '', 6, 'it is empty'],
    ['no JSON', '{', 6, 'stdin is not JSON'],
    ['a list', '[]', 6, 'expected an object'],
    ['a key twice', '{"name":"a","name":"b"}', 6, 'occurs twice'],
    ['no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 6, 'not UTF-8'],
    ['too deep a nesting', '['.repeat(1000), 6, 'nested deeper'],
    ['too many octets', 'x'.repeat(8_388_609), 6, 'longer than'],
    ['a bad name', { ...config, name: 'a/b' }, 7, 'name "a/b"'],
    ['no name', { cniVersion: '1.1.0', type: 'noop' }, 7, 'name: expected a text; it is missing'],
    ['a path as type', { ...config, type: '../x' }, 7, 'type "../x"'],
    ['a path as IPAM type', { ...config, ipam: { type: 'a/b' } }, 7, 'ipam.type'],
    ['a bad prevResult', { ...config, prevResult: { ips: 1 } }, 7, 'prevResult.ips: expected a list'],
    ['runtimeConfig that is no object', { ...config, runtimeConfig: [] }, 7, 'runtimeConfig'],
  ])('refuses %s on stdin, and calls nobody', async (_, stdin, code, message) => {
    const { run, calls } = subject()
    const { document, exitCode } = await run(addEnv, stdin)
    expect(exitCode).toBe(1)
    expect(document).toMatchObject({
      code,
      msg: expect.stringContaining(message),
      details: expect.any(String),
    })
    expect(document).toHaveProperty('cniVersion')
    expect(calls).toEqual([])
  })

  it('hands on every key as it came, digits of large numbers included', async () => {
    const { run, calls } = subject()
    const stdin =
      '{"cniVersion":"1.1.0","name":"net","type":"noop","vendor":{"id":9007199254740993,"n":null}}'
    await run(addEnv, stdin)
    expect(JSON.stringify(calls[0]?.request.source.vendor)).toBe('{"id":9007199254740993,"n":null}')
  })

  it('takes a prevResult in its own version, keys of vendors included', async () => {
    const { run } = subject()
    const prevResult = {
      cniVersion: '0.4.0',
      ips: [{ version: '4', address: '10.0.0.2/24' }],
      'vendor.io': { id: 1 },
    }
    expect((await run(addEnv, { ...config, prevResult })).document).toEqual({
      cniVersion: '1.1.0',
      ips: [{ address: '10.0.0.2/24' }],
      routes: [],
      dns: {},
      'vendor.io': { id: 1 },
    })
  })

  it('does DEL without a prevResult that cannot be read, and says so', async () => {
    const { run, calls, warnings } = subject()
    const stdin = { ...config, prevResult: { ips: 'half' } }
    expect(await run({ ...addEnv, CNI_COMMAND: 'DEL' }, stdin)).toMatchObject({ exitCode: 0, stdout: '' })
    expect(calls[0]?.request).not.toHaveProperty('prevResult')
    expect(warnings[0]).toContain('prevResult.ips')
  })

  it('refuses CHECK without prevResult', async () => {
    const { run } = subject()
    expect((await run({ ...addEnv, CNI_COMMAND: 'CHECK' }, config)).document).toMatchObject({ code: 7 })
  })

  it('refuses GC that does not say what is valid, and keeps what either key names', async () => {
    const { run, calls } = subject()
    const env = { CNI_COMMAND: 'GC' }
    expect((await run(env, config)).document).toMatchObject({
      code: 7,
      msg: expect.stringContaining('valid-attach'),
    })
    const broken = { ...config, 'cni.dev/valid-attachments': [{ containerID: 'a' }] }
    expect((await run(env, broken)).document).toMatchObject({ code: 7 })
    expect(calls).toEqual([])
    await run(env, {
      ...config,
      'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'eth0' }],
      'cni.dev/attachments': [
        { containerID: 'a', ifname: 'eth0' },
        { containerID: 'b', ifname: 'eth1' },
      ],
    })
    expect(calls[0]?.request).toMatchObject({
      validAttachments: [
        { containerId: 'a', ifName: 'eth0' },
        { containerId: 'b', ifName: 'eth1' },
      ],
    })
    await run(env, { ...config, 'cni.dev/attachments': null })
    expect(calls[1]?.request).toMatchObject({ validAttachments: [] })
  })

  it('translates whatever a plugin throws', async () => {
    const thrown: [unknown, object][] = [
      [new CniError('CNI_NOT_AVAILABLE', 'no', { details: 'why' }), { code: 50, msg: 'no', details: 'why' }],
      [Object.assign(new Error('x: y (EPERM)'), { code: 'EPERM' }), { code: 105, details: 'code EPERM' }],
      [Object.assign(new Error('none left'), { code: 'IPAM_EXHAUSTED' }), { code: 101 }],
      [Object.assign(new Error('gone'), { code: 'STORE_UNAVAILABLE' }), { code: 11 }],
      [new TypeError('undefined is not a function'), { code: 100 }],
      ['a text', { code: 100, msg: 'a text' }],
    ]
    for (const [error, expected] of thrown) {
      const { run } = subject({
        before: () => {
          throw error
        },
      })
      const { document, exitCode } = await run(addEnv, config)
      expect(exitCode).toBe(1)
      expect(document).toMatchObject({ cniVersion: '1.1.0', ...expected })
    }
  })

  it('says so when a factory works before it is asked to', async () => {
    const factory: PluginFactory = ({ kernel }) => {
      void kernel.netns
      return recordingPlugin('eager', [])({} as never)
    }
    expect(() => pluginHost(factory, () => ({}) as never)).toThrow('factory used context.kernel')
  })

  it('always gives one document or none and an exit code, whatever comes in', async () => {
    const { run } = subject()
    const env = fc.dictionary(
      fc.constantFrom('CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS'),
      fc.oneof(fc.constantFrom('ADD', 'CHECK', 'GC', 'c1', 'eth0'), fc.string()),
    )
    const stdin = fc.oneof(
      fc.uint8Array(),
      fc.json(),
      fc.dictionary(
        fc.constantFrom('cniVersion', 'name', 'type', 'prevResult', 'ipam', 'cni.dev/attachments'),
        fc.oneof(fc.constantFrom('1.1.0', 'net'), fc.jsonValue()),
      ),
    )
    await fc.assert(
      fc.asyncProperty(env, stdin, async (given, input) => {
        const { document, exitCode } = await run(given, input)
        if (exitCode === 1)
          expect(document).toMatchObject({ code: expect.any(Number), msg: expect.any(String) })
      }),
      { numRuns: 500 },
    )
  })
})
