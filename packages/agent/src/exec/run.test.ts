import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute } from '../fixtures/executable.ts'
import { hostLinks, testNode } from '../fixtures/node.ts'
import { type AgentSocket, listen } from './listen.ts'

const config = (keys: object = {}) =>
  JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'dummy', ...keys })

// Starting a process takes a while where many do.
describe('a plugin executable', { timeout: 60_000 }, () => {
  const node = testNode()
  let folder: string
  let socket: AgentSocket
  let netns: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'podfabric-exec-'))
    socket = await listen(join(folder, 'agent.sock'), node.agent.serve)
    netns = (await node.kernel.netns.create('pod')).path
  })
  afterAll(async () => {
    await socket.close()
    await rm(folder, { recursive: true })
  })

  const env = (command: string, more: Readonly<Record<string, string>> = {}) => ({
    PODFABRIC_AGENT: socket.path,
    CNI_COMMAND: command,
    CNI_PATH: '/opt/cni/bin',
    ...more,
  })
  const attachment = (command: string) =>
    env(command, { CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', CNI_NETNS: netns })

  it('attaches, checks and detaches on the agent’s kernel', async () => {
    const added = await execute(attachment('ADD'), config())
    expect(added).toMatchObject({ exitCode: 0, stderr: '' })
    const prevResult = JSON.parse(added.stdout)
    expect(prevResult).toMatchObject({ cniVersion: '1.1.0', interfaces: [{ name: 'eth0', sandbox: netns }] })
    expect(await hostLinks(node.kernel)).toHaveLength(1)

    const checked = await execute(attachment('CHECK'), config({ prevResult }))
    expect(checked).toEqual({ stdout: '', stderr: '', exitCode: 0 })

    const again = await execute(attachment('ADD'), config())
    expect(again.exitCode).toBe(1)
    expect(JSON.parse(again.stdout).code).toBe(103)

    expect(await execute(attachment('DEL'), config({ prevResult }))).toEqual({
      stdout: '',
      stderr: '',
      exitCode: 0,
    })
    expect(await hostLinks(node.kernel)).toEqual([])
    expect((await execute(attachment('DEL'), config())).exitCode).toBe(0)
  })

  it('collects garbage and tells its status', async () => {
    expect((await execute(attachment('ADD'), config())).exitCode).toBe(0)
    const kept = [{ containerID: 'c1', ifname: 'eth0' }]
    await execute(env('GC'), config({ 'cni.dev/valid-attachments': kept }))
    expect(await hostLinks(node.kernel)).toHaveLength(1)
    await execute(env('GC'), config({ 'cni.dev/valid-attachments': [] }))
    expect(await hostLinks(node.kernel)).toEqual([])

    expect(await execute(env('STATUS'), config())).toEqual({ stdout: '', stderr: '', exitCode: 0 })
    const failed = await execute(env('STATUS'), config({ fail: true }))
    expect(failed.exitCode).toBe(1)
    expect(JSON.parse(failed.stdout)).toMatchObject({ code: 50, msg: 'told to fail' })
  })

  it('tells its versions without an agent, an input or any other variable', async () => {
    const { stdout, exitCode } = await execute({ CNI_COMMAND: 'VERSION' })
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout).supportedVersions).toContain('1.1.0')
  })

  it('says what it is when somebody calls it by hand', async () => {
    const { stderr, exitCode } = await execute({})
    expect(exitCode).toBe(1)
    expect(stderr).toContain('dummy: a CNI plugin, called by container runtimes')
  })

  it('fails with code 50 on stdout where no agent is, in the version that was asked for', async () => {
    const nobody = join(folder, 'nobody.sock')
    const { stdout, stderr, exitCode } = await execute(
      { ...attachment('ADD'), PODFABRIC_AGENT: nobody },
      config({ cniVersion: '1.0.0' }),
    )
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 1 })
    expect(JSON.parse(stdout)).toMatchObject({
      cniVersion: '1.0.0',
      code: 50,
      msg: `no agent answers at ${nobody}`,
      details: expect.stringContaining('start the agent of this node'),
    })
  })

  it('refuses a call that makes no sense, with or without an agent', async () => {
    const { stdout, exitCode } = await execute({ CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1' }, config())
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      code: 4,
      msg: 'CNI_NETNS, CNI_IFNAME are missing from the environment of ADD',
    })
  })

  it('hands over megabytes of input', async () => {
    const padding = '"\\é'.repeat(1_000_000)
    const { exitCode, stdout } = await execute(env('STATUS'), config({ padding }))
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' })
  })

  it('refuses more input than a plugin reads', async () => {
    const { exitCode, stdout } = await execute(
      env('STATUS'),
      config({ padding: 'x'.repeat(9 * 1024 * 1024) }),
    )
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout).code).toBe(6)
  })

  it('refuses input that is not UTF-8', async () => {
    const { exitCode, stdout } = await execute(env('STATUS'), Uint8Array.of(0x7b, 0xff, 0x7d))
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ code: 6, msg: 'stdin is not UTF-8' })
  })
})
