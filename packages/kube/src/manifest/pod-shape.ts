import { type Ip, parseIp } from '@podfabric/netaddr'
import { isPortName } from '../names.ts'
import type {
  Container,
  ContainerPort,
  EnvVar,
  HostAlias,
  InitContainer,
  Pod,
  PodDnsConfig,
  PodSpec,
  PodTemplate,
  Protocol,
} from '../pod.ts'
import { dnsLabel, dnsSubdomain, labels, namespacedMeta, templateMeta } from './metadata-shape.ts'
import { probe } from './probe-shape.ts'
import {
  boolean,
  type Complain,
  checked,
  type Fields,
  fallback,
  integer,
  list,
  object,
  oneOf,
  optional,
  parsed,
  required,
  type Shape,
  text,
} from './shape.ts'

export const ipAddress: Shape<Ip> = parsed('an IP address', parseIp)
export const portNumber = integer(1, 65535)
export const portName = text('a port name: 1 to 15 of a-z, 0-9 and "-", with a letter', isPortName)
export const protocol: Shape<Protocol> = oneOf('TCP', 'UDP', 'SCTP')

const containerPort = object<ContainerPort>({
  name: optional(portName),
  containerPort: required(portNumber),
  protocol: fallback('TCP', protocol),
  hostPort: optional(portNumber),
  hostIP: optional(ipAddress),
})

/** A program cannot be given more: no string of its words and variables has a zero in it. */
const word = text('a string without zero octets', (value) => !value.includes('\0'))

const envVar = object<EnvVar>(
  {
    name: required(text('the name of a variable, without "="', (name) => /^[^=\0]+$/.test(name))),
    value: fallback('', word),
  },
  { unsupported: ['valueFrom'] },
)

const containerFields: Fields<Container> = {
  name: required(dnsLabel),
  image: optional(text()),
  command: optional(list(word)),
  args: optional(list(word)),
  env: optional(list(envVar)),
  workingDir: optional(text('an absolute path', (path) => /^\/[^\0]*$/.test(path))),
  ports: fallback([], checked(list(containerPort), checkPortNames)),
  readinessProbe: optional(probe),
  livenessProbe: optional(probe),
  startupProbe: optional(probe),
}

/** What a container does inside itself: no packet changes by it. */
const containerIgnored = [
  'imagePullPolicy',
  'resources',
  'resizePolicy',
  'volumeMounts',
  'volumeDevices',
  'securityContext',
  'stdin',
  'stdinOnce',
  'tty',
  'terminationMessagePath',
  'terminationMessagePolicy',
]

const container = object<Container>(containerFields, {
  ignored: containerIgnored,
  unsupported: ['envFrom', 'lifecycle', 'restartPolicy', 'restartPolicyRules'],
})

const initContainer = object<InitContainer>(
  { ...containerFields, restartPolicy: optional(oneOf('Always')) },
  { ignored: containerIgnored, unsupported: ['envFrom', 'lifecycle', 'restartPolicyRules'] },
)

const dnsConfig = object<PodDnsConfig>({
  nameservers: fallback([], list(ipAddress, { max: 3 })),
  searches: fallback([], list(dnsSubdomain, { max: 32 })),
  options: fallback(
    [],
    list(object<PodDnsConfig['options'][number]>({ name: required(text()), value: optional(text()) })),
  ),
})

const hostAlias = object<HostAlias>({ ip: required(ipAddress), hostnames: fallback([], list(dnsSubdomain)) })

export const podSpec: Shape<PodSpec> = checked(
  object<PodSpec>(
    {
      containers: required(list(container, { min: 1 })),
      initContainers: fallback([], list(initContainer)),
      hostname: optional(dnsLabel),
      subdomain: optional(dnsLabel),
      nodeName: optional(dnsSubdomain),
      nodeSelector: fallback({}, labels),
      hostNetwork: fallback(false, boolean),
      hostAliases: fallback([], list(hostAlias)),
      restartPolicy: fallback('Always', oneOf('Always', 'OnFailure', 'Never')),
      terminationGracePeriodSeconds: fallback(30, integer(0, 2 ** 31 - 1)),
      dnsPolicy: fallback(
        'ClusterFirst',
        oneOf('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'),
      ),
      dnsConfig: optional(dnsConfig),
    },
    {
      ignored: [
        'volumes',
        'serviceAccountName',
        'serviceAccount',
        'automountServiceAccountToken',
        'securityContext',
        'imagePullSecrets',
        'enableServiceLinks',
        'hostPID',
        'hostIPC',
        'hostUsers',
        'shareProcessNamespace',
        'os',
        'preemptionPolicy',
        'resources',
        'resourceClaims',
        'schedulerName',
      ],
      unsupported: [
        'activeDeadlineSeconds',
        'affinity',
        'ephemeralContainers',
        'hostnameOverride',
        'overhead',
        'priority',
        'priorityClassName',
        'readinessGates',
        'runtimeClassName',
        'schedulingGates',
        'setHostnameAsFQDN',
        'tolerations',
        'topologySpreadConstraints',
      ],
    },
  ),
  checkPod,
)

export const podTemplate: Shape<PodTemplate> = object<PodTemplate>({
  metadata: fallback({ labels: {}, annotations: {} }, templateMeta),
  spec: required(podSpec),
})

export const pod = (namespace: string): Shape<Pod> =>
  object<Omit<Pod, 'status'>>(
    {
      apiVersion: required(oneOf('v1')),
      kind: required(oneOf('Pod')),
      metadata: required(namespacedMeta(dnsSubdomain, namespace)),
      spec: required(podSpec),
    },
    { ignored: ['status'] },
  )

function checkPortNames(ports: readonly ContainerPort[], complain: Complain): void {
  const names = new Set<string>()
  for (const [index, { name }] of ports.entries()) {
    if (name !== undefined && names.has(name))
      complain([index, 'name'], `another port is called ${name} already`)
    if (name !== undefined) names.add(name)
  }
}

function checkPod(spec: PodSpec, complain: Complain): void {
  const names = new Set<string>()
  const claimed = new Map<string, string>()
  for (const group of ['initContainers', 'containers'] as const) {
    for (const [index, { name, ports }] of spec[group].entries()) {
      if (names.has(name)) complain([group, index, 'name'], `another container is called ${name} already`)
      names.add(name)
      if (group === 'initContainers' && spec.initContainers[index]?.restartPolicy !== 'Always') continue
      for (const [number, port] of ports.entries()) {
        const claim = `${port.containerPort}/${port.protocol}`
        const owner = claimed.get(claim)
        if (owner !== undefined) {
          const reason = `${owner} claims ${claim} too; containers of a pod share one localhost, the second cannot listen`
          complain.warn([group, index, 'ports', number, 'containerPort'], reason, 'KUBE_PORT_CONFLICT')
        }
        claimed.set(claim, name)
      }
    }
  }
  if (spec.dnsPolicy === 'None' && (spec.dnsConfig?.nameservers.length ?? 0) === 0) {
    complain(
      ['dnsConfig', 'nameservers'],
      'missing; dnsPolicy None needs at least one nameserver',
      'KUBE_MISSING',
    )
  }
}
