import { describe, expect, it } from 'vitest'
import type { PluginFactory } from '../plugin.ts'
import { recordingPlugin } from '../testing/index.ts'
import { pluginHost } from './host.ts'
import { skel } from './skel.ts'

function sink() {
  const written: string[] = []
  return { written, write: (text: string) => written.push(text) }
}

async function* octets(text: string) {
  yield* [...new TextEncoder().encode(text)].map((octet) => Uint8Array.of(octet))
}

const env = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/c1', CNI_IFNAME: 'eth0' }
const stdin = '{"cniVersion":"1.1.0","name":"nét","type":"noop"}'

describe('a plugin executable', () => {
  it('keeps what a plugin prints away from its result, during the verb and after', async () => {
    const stdout = sink()
    const stderr = sink()
    const noisy: PluginFactory = recordingPlugin('noop', [], {
      before: () => void stdout.write('{"noise": true}'),
    })
    const host = pluginHost(noisy, () => ({}) as never)
    const code = await skel(host, { env, stdin: octets(stdin.replace('é', 'e')), stdout, stderr })
    stdout.write('late noise')
    expect(code).toBe(0)
    expect(stdout.written).toHaveLength(1)
    expect(JSON.parse(stdout.written[0] ?? '')).toMatchObject({ cniVersion: '1.1.0' })
    expect(stderr.written).toEqual(['{"noise": true}', 'late noise'])
  })

  it('reads octets wherever they are cut, and tells its errors on stdout with exit code 1', async () => {
    const stdout = sink()
    const stderr = sink()
    const host = pluginHost(recordingPlugin('noop', []), () => ({}) as never)
    expect(await skel(host, { env, stdin: octets(stdin), stdout, stderr })).toBe(1)
    expect(JSON.parse(stdout.written.join(''))).toMatchObject({
      code: 7,
      msg: expect.stringContaining('nét'),
    })
  })

  it('says what it is when it is called by hand, without waiting for input', async () => {
    const stdout = sink()
    const stderr = sink()
    const host = pluginHost(recordingPlugin('noop', []), () => ({}) as never)
    const never = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
    expect(await skel(host, { env: {}, stdin: never, stdout, stderr })).toBe(1)
    expect(stderr.written.join('')).toContain('noop: a CNI plugin')
    expect(JSON.parse(stdout.written.join(''))).toMatchObject({ code: 4 })
  })

  it('tells that stdin cannot be read with code 5', async () => {
    const stdout = sink()
    const host = pluginHost(recordingPlugin('noop', []), () => ({}) as never)
    const broken = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('EIO')) }),
    }
    expect(await skel(host, { env, stdin: broken, stdout, stderr: sink() })).toBe(1)
    expect(JSON.parse(stdout.written.join(''))).toMatchObject({ code: 5 })
  })
})
