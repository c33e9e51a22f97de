import { cniVersions, isJsonObject, parseJson } from '@podfabric/cni'
import { objectsIn } from '../../src/harness/objects.ts'
import { atTheEdge, type Mutant, printing, rewritten } from './mutant.ts'

/** Nothing that ADD prints can be read, errors neither. */
const noResult = {
  allBut: ['version.output', 'version.echo', 'version.command-alone', 'version.unknown-refused'],
}
/** Nothing works that begins with an ADD that succeeds. */
const noAttachment = {
  allBut: [
    ...noResult.allBut,
    'version.unknown-code',
    'add.missing-variable',
    'add.undecodable',
    'add.failure-is-an-object',
  ],
}

/** Broken where octets are read and written. */
export const edgeMutants: readonly Mutant[] = [
  printing('VERSION forgets supportedVersions', ['version.output'], 'VERSION', (outcome) =>
    rewritten(outcome, ({ cniVersion = '' }) => ({ cniVersion })),
  ),
  printing(
    'VERSION answers with its newest version, whatever was asked',
    ['version.echo'],
    'VERSION',
    (outcome) => rewritten(outcome, (document) => ({ ...document, cniVersion: '1.1.0' })),
  ),
  atTheEdge(
    'VERSION wants CNI_PATH',
    ['version.command-alone'],
    (run) => async (type, env, stdin, options) =>
      env.CNI_COMMAND === 'VERSION' && env.CNI_PATH === undefined
        ? failure(4, 'CNI_PATH is missing')
        : run(type, env, stdin, options),
  ),
  atTheEdge(
    'serves any version as its newest',
    ['version.unknown-refused', 'version.unknown-code'],
    (run) => (type, env, stdin, options) => {
      const known = cniVersions.some((version) => stdin.includes(`"cniVersion":"${version}"`))
      return run(
        type,
        env,
        known ? stdin : stdin.replace(/"cniVersion":"[^"]*"/, '"cniVersion":"1.1.0"'),
        options,
      )
    },
  ),
  printing('refuses an unknown version with error 7', ['version.unknown-code'], 'all', (outcome) =>
    outcome.stdout.includes('"code":1,')
      ? { ...outcome, stdout: outcome.stdout.replace('"code":1,', '"code":7,') }
      : outcome,
  ),
  atTheEdge(
    'lists 0.3.0 and refuses it',
    ['version.listed-served', 'version.as-asked', 'version.shape', 'version.no-newer-keys'],
    (run) => async (type, env, stdin, options) =>
      stdin.includes('"cniVersion":"0.3.0"') && env.CNI_COMMAND !== 'VERSION'
        ? failure(1, 'version 0.3.0 is not served')
        : run(type, env, stdin, options),
  ),
  printing('writes 1.1.0 into every result', ['version.as-asked'], 'ADD', (outcome) =>
    rewritten(outcome, (document) => ({ ...document, cniVersion: '1.1.0' })),
  ),
  printing('leaves version out of the ips of old results', ['version.shape'], 'ADD', (outcome) =>
    rewritten(outcome, (document) => ({
      ...document,
      ...('ips' in document && { ips: objectsIn(document.ips).map(({ version: _left, ...each }) => each) }),
    })),
  ),
  printing('writes mtu into results before 1.1.0', ['version.no-newer-keys'], 'ADD', (outcome) =>
    rewritten(outcome, (document) => ({
      ...document,
      ...('interfaces' in document && {
        interfaces: objectsIn(document.interfaces).map((each) => ({ ...each, mtu: 1500 })),
      }),
    })),
  ),
  printing('logs a line to stdout before the result', noResult, 'ADD', (outcome) => ({
    ...outcome,
    stdout: `attaching\n${outcome.stdout}`,
  })),
  printing('prints the result of ADD twice', noResult, 'ADD', (outcome) => ({
    ...outcome,
    stdout: outcome.stdout + outcome.stdout,
  })),
  printing('prints nothing on ADD', noResult, 'ADD', (outcome) => ({ ...outcome, stdout: '' })),
  printing('prints a document on DEL', ['del.quiet'], 'DEL', (outcome) => ({
    ...outcome,
    stdout: outcome.stdout || '{}\n',
  })),
  printing('prints a document on CHECK', ['check.quiet'], 'CHECK', (outcome) => ({
    ...outcome,
    stdout: outcome.stdout || '{}\n',
  })),
  printing('prints a document on GC', ['gc.quiet'], 'GC', (outcome) => ({
    ...outcome,
    stdout: outcome.stdout || '{}\n',
  })),
  printing('prints a document on STATUS', ['status.ready'], 'STATUS', (outcome) => ({
    ...outcome,
    stdout: outcome.stdout || '{}\n',
  })),
  printing(
    'exits with 0 when it fails',
    [
      'version.unknown-refused',
      'version.unknown-code',
      'add.existing-refused',
      'add.no-netns',
      'add.missing-variable',
      'add.undecodable',
      'add.failure-is-an-object',
      'check.from-prev-result',
      'check.interface-missing',
      'check.interface-down',
      'check.address-missing',
      'check.route-missing',
      'check.after-del',
      'status.exhausted',
      'ipam.exhausted',
    ],
    'all',
    (outcome) => ({ ...outcome, exitCode: 0 }),
  ),
  printing('exits with 1 when ADD succeeds', noAttachment, 'ADD', (outcome) => ({ ...outcome, exitCode: 1 })),
  printing(
    'prints errors on stderr only',
    [
      'version.unknown-code',
      'add.missing-variable',
      'add.undecodable',
      'add.failure-is-an-object',
      'status.exhausted',
      'ipam.exhausted',
    ],
    'all',
    (outcome) => (outcome.exitCode === 0 ? outcome : { stdout: '', stderr: outcome.stdout, exitCode: 1 }),
  ),
  printing('leaves cniVersion out of errors', ['add.failure-is-an-object'], 'all', (outcome) => {
    if (outcome.exitCode === 0) return outcome
    const document = parseJson(outcome.stdout)
    if (!isJsonObject(document)) return outcome
    const { cniVersion: _left, ...rest } = document
    return { ...outcome, stdout: JSON.stringify(rest) }
  }),
  printing('does not name the variable that is missing', ['add.missing-variable'], 'ADD', (outcome) => ({
    ...outcome,
    stdout: outcome.stdout.replace(/CNI_[A-Z]+ is missing/, 'something is missing'),
  })),
  atTheEdge(
    'does without CNI_IFNAME',
    ['add.missing-variable'],
    (run) => (type, env, stdin, options) => run(type, { CNI_IFNAME: 'eth0', ...env }, stdin, options),
  ),
  printing('says error 7 for what is no JSON', ['add.undecodable'], 'ADD', (outcome) => ({
    ...outcome,
    stdout: outcome.stdout.replace('"code":6,', '"code":7,'),
  })),
  printing(
    'points at interface 0 for every address',
    [
      'add.ips-point-at-interface',
      'connectivity.after-a-neighbor-left',
      'connectivity.node-to-pod',
      'connectivity.same-node',
      'del.one-container-only',
      'gc.keeps-other-networks',
      'gc.keeps-valid',
      'gc.keeps-when-not-told',
      'mtu.exact',
      'mtu.larger',
      'mtu.transfer',
      'no-nat.same-node',
    ],
    'ADD',
    (outcome) =>
      rewritten(outcome, (document) => ({
        ...document,
        ...('ips' in document && { ips: objectsIn(document.ips).map((each) => ({ ...each, interface: 0 })) }),
      })),
  ),
  printing('points behind the end of interfaces', noAttachment, 'ADD', (outcome) =>
    rewritten(outcome, (document) => ({
      ...document,
      ...('ips' in document && {
        ips: objectsIn(document.ips).map((each) => ({
          ...each,
          interface: objectsIn(document.interfaces).length,
        })),
      }),
    })),
  ),
  atTheEdge(
    'takes a missing list of valid attachments for an empty one',
    ['gc.keeps-when-not-told'],
    (run) => (type, env, stdin, options) => {
      const config = parseJson(env.CNI_COMMAND === 'GC' ? stdin : '{}')
      if (env.CNI_COMMAND !== 'GC' || !isJsonObject(config) || 'cni.dev/valid-attachments' in config) {
        return run(type, env, stdin, options)
      }
      return run(type, env, JSON.stringify({ ...config, 'cni.dev/valid-attachments': [] }), options)
    },
  ),
]

function failure(code: number, msg: string) {
  return { stdout: JSON.stringify({ cniVersion: '1.1.0', code, msg, details: '' }), stderr: '', exitCode: 1 }
}
