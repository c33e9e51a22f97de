import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Deployment } from '../deployment.ts'
import type { Kind, KubeObject, ObjectOf } from '../object.ts'
import { formatYaml } from './format-yaml.ts'
import { readManifests } from './manifests.ts'

function errorsOf(text: string): string[] {
  return readManifests(text, { file: 'web.yaml' }).errors.map(({ code, message }) => `${code} ${message}`)
}

function warningsOf(text: string): string[] {
  const { errors, warnings } = readManifests(text, { file: 'web.yaml' })
  expect(errors).toEqual([])
  return warnings.map(({ code, message }) => `${code} ${message}`)
}

function one<K extends Kind>(kind: K, text: string): ObjectOf<K> {
  const { objects, errors } = readManifests(text, { file: 'web.yaml' })
  expect(errors.map(({ message }) => message)).toEqual([])
  const object: KubeObject | undefined = objects[0]?.object
  if (object?.kind !== kind) throw new Error(`expected a ${kind}`)
  return object as ObjectOf<K>
}

const pod = (spec: string) => `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: ${spec}\n`
const service = (spec: string) => `apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: ${spec}\n`
const deployment = (spec: string) =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, ` +
  `template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c}]}}, ${spec}}\n`

describe('what is read', () => {
  test('a pod has what Kubernetes would fill in', () => {
    expect(one('Pod', pod('{containers: [{name: c, ports: [{containerPort: 80}]}]}'))).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'default', labels: {}, annotations: {}, ownerReferences: [] },
      spec: {
        containers: [{ name: 'c', ports: [{ containerPort: 80, protocol: 'TCP' }] }],
        initContainers: [],
        nodeSelector: {},
        hostNetwork: false,
        hostAliases: [],
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        dnsPolicy: 'ClusterFirst',
      },
    })
  })

  test('a probe keeps its one action and gets the default timing', () => {
    const { spec } = one('Pod', pod('{containers: [{name: c, readinessProbe: {httpGet: {port: http}}}]}'))
    expect(spec.containers[0]?.readinessProbe).toEqual({
      httpGet: { path: '/', port: 'http', scheme: 'HTTP' },
      initialDelaySeconds: 0,
      periodSeconds: 10,
      timeoutSeconds: 1,
      successThreshold: 1,
      failureThreshold: 3,
    })
  })

  test("a service's port leads to the same port unless it says otherwise", () => {
    const { spec } = one(
      'Service',
      service('{ports: [{name: a, port: 80}, {name: b, port: 81, targetPort: web}]}'),
    )
    expect(spec.ports.map(({ targetPort }) => targetPort)).toEqual([80, 'web'])
  })

  test('a headless service has no addresses, and one with two has the first as its own', () => {
    expect(one('Service', service('{clusterIP: None}')).spec).toMatchObject({
      clusterIP: 'None',
      clusterIPs: [],
    })
    const dual = one('Service', service("{clusterIPs: [10.96.0.1, 'FD00:0::1'], ports: [{port: 1}]}")).spec
    expect(dual).toMatchObject({ clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', 'fd00::1'] })
  })

  test('an external name loses its final dot', () => {
    const { spec } = one('Service', service('{type: ExternalName, externalName: db.example.com.}'))
    expect(spec.externalName).toBe('db.example.com')
  })

  test('a strategy is either a rolling update with both limits or a recreation', () => {
    const strategy = (text: string): Deployment['spec']['strategy'] =>
      one('Deployment', deployment(text)).spec.strategy
    const quarter = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } }
    expect(strategy('replicas: 3')).toEqual(quarter)
    expect(strategy('strategy: {rollingUpdate: {maxUnavailable: 0}}')).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: '25%', maxUnavailable: 0 },
    })
    expect(strategy('strategy: {type: Recreate}')).toEqual({ type: 'Recreate' })
  })

  test('many documents and lists inside them, each with the place where it begins', () => {
    const text = `apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: two}
- {apiVersion: v1, kind: PodList, items: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c}]}}]}
`
    const { objects } = readManifests(text, { file: 'web.yaml', namespace: 'shop' })
    expect(
      objects.map(({ object, source }) => [object.kind, object.metadata.name, source.line, source.column]),
    ).toEqual([
      ['Namespace', 'shop', 1, 1],
      ['Namespace', 'two', 8, 3],
      ['Pod', 'p', 11, 43],
    ])
    expect(objects[2]?.object.metadata).toMatchObject({ namespace: 'shop' })
  })

  test('JSON is read like YAML', () => {
    expect(
      one('Namespace', '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}').metadata.name,
    ).toBe('a')
  })

  test('null counts as absent', () => {
    expect(one('Pod', pod('{containers: [{name: c, ports: null}], hostname:}')).spec).not.toHaveProperty(
      'hostname',
    )
  })

  test('an endpoint without conditions is ready, and one that is not ready is not serving unless it says so', () => {
    const slice = one(
      'EndpointSlice',
      `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false}}]
ports: [{name: http, port: 80}]
`,
    )
    expect(slice.endpoints.map(({ conditions }) => [conditions.ready, conditions.serving])).toEqual([
      [true, true],
      [false, false],
    ])
  })
})

describe('what is refused, with file, line, column, path and what was expected', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    [
      'a port out of range',
      pod('{containers: [{name: c, ports: [{containerPort: 70000}]}]}'),
      'KUBE_INVALID web.yaml:4:55: spec.containers[0].ports[0].containerPort: ' +
        'expected an integer from 1 to 65535, got the number 70000',
    ],
    [
      'a number where a text belongs',
      pod('{containers: [{name: c}], nodeSelector: {zone: 3}}'),
      'KUBE_INVALID web.yaml:4:54: spec.nodeSelector.zone: ' +
        'expected a label value: at most 63 letters, digits, "-", "_" and ".", got the number 3',
    ],
    [
      'a boolean where a text belongs',
      pod('{containers: [{name: c}], nodeSelector: {country: no}}'),
      'KUBE_INVALID web.yaml:4:57: spec.nodeSelector.country: expected a label value: at most 63 letters, digits, ' +
        '"-", "_" and ".", got the boolean false (a text that looks like one needs quotes)',
    ],
    [
      'a misspelt field',
      pod('{containers: [{name: c}], nodeSelecter: {}}'),
      'KUBE_MISSPELT web.yaml:4:33: spec.nodeSelecter: unknown field; did you mean nodeSelector?',
    ],
    [
      'a field in the wrong case',
      pod('{containers: [{name: c, ports: [{containerport: 80}]}]}'),
      'KUBE_MISSPELT web.yaml:4:40: spec.containers[0].ports[0].containerport: unknown field; did you mean containerPort?',
    ],
    [
      'a misspelt kind',
      'apiVersion: v1\nkind: Servcie\n',
      'KUBE_MISSPELT web.yaml:2:7: kind: unknown kind Servcie; did you mean Service?',
    ],
    [
      'a missing field',
      'apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n',
      'KUBE_MISSING web.yaml:1:1: spec: missing; expected a map',
    ],
    [
      'a missing kind',
      'apiVersion: v1\n',
      'KUBE_MISSING web.yaml:1:1: kind: missing; expected a string such as Pod',
    ],
    [
      'an old version',
      deployment('').replace('apps/v1', 'extensions/v1beta1'),
      'KUBE_INVALID web.yaml:1:13: apiVersion: expected apps/v1 for a Deployment, got extensions/v1beta1',
    ],
    [
      'a document that is no object',
      '- 1\n',
      'KUBE_INVALID web.yaml:1:1: expected a Kubernetes object: a map with apiVersion and kind',
    ],
    [
      "a selector that does not select the workload's own pods",
      deployment('').replace('labels: {app: web}', 'labels: {app: db}'),
      'KUBE_INVALID web.yaml:4:75: spec.template.metadata.labels: expected labels that spec.selector matches',
    ],
    [
      'an empty selector',
      deployment('').replace('{matchLabels: {app: web}}', '{}'),
      'KUBE_INVALID web.yaml:4:18: spec.selector: expected at least one label: an empty selector would claim every pod',
    ],
    [
      'a rolling update that cannot move',
      deployment('strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}'),
      'KUBE_INVALID web.yaml:4:178: spec.strategy.rollingUpdate.maxUnavailable: ' +
        'expected more than 0 when maxSurge is 0: no pod could ever be replaced',
    ],
    [
      'two containers of one name',
      pod('{containers: [{name: c}, {name: c}]}'),
      'KUBE_INVALID web.yaml:4:39: spec.containers[1].name: another container is called c already',
    ],
    [
      'several ports without names',
      service('{ports: [{port: 80}, {name: b, port: 81}]}'),
      'KUBE_MISSING web.yaml:4:16: spec.ports[0].name: missing; each of several ports needs a name',
    ],
    [
      'an address that is none',
      service('{clusterIP: 10.96.0.300, ports: [{port: 80}]}'),
      'KUBE_INVALID web.yaml:4:19: spec.clusterIP: expected an IP address or None, got "10.96.0.300"',
    ],
    [
      'an ExternalName without a name',
      service('{type: ExternalName}'),
      'KUBE_MISSING web.yaml:4:7: spec.externalName: missing; expected a domain name',
    ],
    [
      'two actions in one probe',
      pod('{containers: [{name: c, readinessProbe: {tcpSocket: {port: 1}, exec: {command: [ls]}}}]}'),
      'KUBE_INVALID web.yaml:4:47: spec.containers[0].readinessProbe: ' +
        'expected exactly one of httpGet, tcpSocket, exec, grpc, got tcpSocket and exec',
    ],
    [
      'a name that is none',
      pod('{containers: [{name: c}]}').replace('name: web', 'name: Web_1'),
      'KUBE_INVALID web.yaml:3:18: metadata.name: expected a name of a-z, 0-9, "-" and ".", at most 253 long, ' +
        'with a letter or digit at both ends of each part, got "Web_1"',
    ],
    ['a duplicate key', 'a: 1\na: 2\n', 'KUBE_YAML web.yaml:2:1: the key a is already set in line 1'],
    [
      'a list without items',
      'apiVersion: v1\nkind: List\n',
      'KUBE_INVALID web.yaml:1:1: items: expected a list of objects',
    ],
    [
      'an annotation that is no text, with its key in quotes',
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: a, annotations: {a.b/c: 1}}\n',
      'KUBE_INVALID web.yaml:3:42: metadata.annotations["a.b/c"]: expected a string, got the number 1',
    ],
  ]
  for (const [title, text, expected] of cases) {
    test(title, () => {
      expect(errorsOf(text)).toEqual([expected])
    })
  }

  test('all mistakes are told, and the objects without one are kept', () => {
    const text = `${pod('{containers: [{name: c, ports: [{containerPort: 0}, {containerPort: x}]}]}')}---\n${service('{clusterIP: None}')}`
    const { objects, errors } = readManifests(text, { file: 'web.yaml' })
    expect(errors.map(({ path }) => path)).toEqual([
      'spec.containers[0].ports[0].containerPort',
      'spec.containers[0].ports[1].containerPort',
    ])
    expect(objects.map(({ object }) => object.kind)).toEqual(['Service'])
  })
})

describe('what is warned about', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    [
      'a kind that is not implemented',
      'apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\n',
      'KUBE_UNSUPPORTED_KIND web.yaml:2:7: kind: Job (batch/v1) is not implemented; the object was left out',
    ],
    [
      "somebody else's kind of the same name",
      'apiVersion: serving.knative.dev/v1\nkind: Service\n',
      'KUBE_UNSUPPORTED_KIND web.yaml:2:7: kind: Service (serving.knative.dev/v1) is not implemented; the object was left out',
    ],
    [
      'a field that Kubernetes has and Podfabric ignores',
      pod('{containers: [{name: c}], tolerations: []}'),
      'KUBE_UNSUPPORTED_FIELD web.yaml:4:33: spec.tolerations: not implemented; it has no effect',
    ],
    [
      'a field that nobody has',
      pod('{containers: [{name: c}], sugar: 2}'),
      'KUBE_UNKNOWN_FIELD web.yaml:4:33: spec.sugar: unknown field; it has no effect',
    ],
    [
      'a node port',
      service('{type: NodePort, ports: [{port: 80}]}'),
      'KUBE_UNSUPPORTED_FIELD web.yaml:4:14: spec.type: NodePort is not implemented; ' +
        'the service is reachable inside the cluster only, as a ClusterIP',
    ],
    [
      'two containers that claim one port of their localhost',
      pod('{containers: [{name: a, ports: [{containerPort: 80}]}, {name: b, ports: [{containerPort: 80}]}]}'),
      'KUBE_PORT_CONFLICT web.yaml:4:96: spec.containers[1].ports[0].containerPort: ' +
        'a claims 80/TCP too; containers of a pod share one localhost, the second cannot listen',
    ],
    [
      'the same object twice',
      `${service('{clusterIP: None}')}---\n${service('{clusterIP: None}')}`,
      'KUBE_DUPLICATE_OBJECT web.yaml:6:1: Service/default/web is already in line 1; when applied in order, this one replaces it',
    ],
  ]
  for (const [title, text, expected] of cases) {
    test(title, () => {
      expect(warningsOf(text)).toEqual([expected])
    })
  }

  test('nothing is said about fields that do not touch the network', () => {
    const container =
      '{name: c, image: x, command: [a], env: [{name: A, value: b}], resources: {limits: {cpu: 1}}, volumeMounts: []}'
    expect(warningsOf(pod(`{containers: [${container}], volumes: []}`))).toEqual([])
  })
})

describe('the program of a container', () => {
  const container = (more: string) => pod(`{containers: [{name: c, ${more}}]}`)

  test('is kept as it is written, and read back', () => {
    const text = container(
      'command: [sh, -c], args: ["sleep $(COUNT)"], workingDir: /tmp, env: [{name: COUNT, value: "5"}, {name: EMPTY}]',
    )
    const { objects, errors } = readManifests(text, { file: 'web.yaml' })
    expect(errors).toEqual([])
    const read = objects.map(({ object }) => object)
    expect(read).toMatchObject([
      {
        spec: {
          containers: [
            {
              command: ['sh', '-c'],
              args: ['sleep $(COUNT)'],
              workingDir: '/tmp',
              env: [
                { name: 'COUNT', value: '5' },
                { name: 'EMPTY', value: '' },
              ],
            },
          ],
        },
      },
    ])
    const again = readManifests(formatYaml(read), { file: 'again.yaml' })
    expect(again.objects.map(({ object }) => object)).toEqual(read)
  })

  test.each([
    ['command: ls', 'command: expected a list'],
    ['args: [1]', 'args[0]: expected a string without zero octets, got the number 1'],
    ['env: [{value: x}]', 'env[0].name: missing'],
    ['env: [{name: A=B}]', 'env[0].name: expected the name of a variable'],
    ['env: [{name: A, value: 5}]', 'env[0].value: expected a string without zero octets, got the number 5'],
    ['workingDir: tmp', 'workingDir: expected an absolute path, got "tmp"'],
  ])('is refused with its place: %s', (more, expected) => {
    const { errors } = readManifests(container(more), { file: 'web.yaml' })
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^web\.yaml:\d+:\d+: spec\.containers\[0\]\./),
    ])
    expect(errors[0]?.message).toContain(expected)
  })

  test('with a value from elsewhere is warned about', () => {
    expect(warningsOf(container('env: [{name: A, valueFrom: {}}], envFrom: []'))).toHaveLength(2)
  })
})

describe('formatYaml', () => {
  test('is read back to the same object, whatever its labels look like', () => {
    const texts = fc.oneof(
      fc.constantFrom('yes', 'no', 'on', 'oN', 'null', '~', '1', '0x1', '0o7', '010', '1e3', '1_0', '<<', ''),
      fc.string({ unit: fc.constantFrom(...'0123456789oxbXeE+-._:nNfFyYsSaAiI~=<') }),
      fc.string(),
    )
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('a', 'yes', 'on', 'n', '1', '010', 'x/y'), texts),
        (annotations) => {
          const meta = { labels: {}, ownerReferences: [] as const }
          const object: KubeObject = {
            apiVersion: 'v1',
            kind: 'Namespace',
            metadata: { name: 'n', ...meta, annotations: { ...annotations } },
          }
          const { objects, errors } = readManifests(formatYaml([object, object]), { file: 'x' })
          expect(errors).toEqual([])
          expect(objects.map((read) => read.object)).toEqual([object, object])
        },
      ),
      { numRuns: 500 },
    )
  })
})

test('no text makes readManifests throw', () => {
  const words = [
    'apiVersion: v1',
    'kind: Pod',
    'metadata:',
    '  name: a',
    'spec:',
    '  containers:',
    '  - name: c',
    '---',
    '  x',
  ]
  const line = fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 12 }))
  fc.assert(
    fc.property(fc.array(line, { maxLength: 15 }), (lines) => {
      readManifests(lines.join('\n'), { file: 'x' })
    }),
    { numRuns: 1000 },
  )
})
