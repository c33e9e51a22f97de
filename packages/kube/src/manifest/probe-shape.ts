import { isPortName } from '../names.ts'
import type {
  ExecAction,
  GrpcAction,
  HttpGetAction,
  PortReference,
  Probe,
  ProbeTiming,
  TcpSocketAction,
} from '../probe.ts'
import {
  checked,
  fallback,
  integer,
  list,
  mapped,
  numberOr,
  object,
  oneOf,
  optional,
  required,
  type Shape,
  text,
} from './shape.ts'

/** A port by number or name. */
export const portReference: Shape<PortReference> = numberOr(
  integer(1, 65535),
  text('the name of a port (a number stands without quotes)', isPortName),
)

type HttpGet = HttpGetAction['httpGet']
type TcpSocket = TcpSocketAction['tcpSocket']
type Grpc = GrpcAction['grpc']

const httpGet = object<HttpGet>(
  {
    path: fallback('/', text()),
    port: required(portReference),
    scheme: fallback('HTTP', oneOf('HTTP', 'HTTPS')),
    host: optional(text()),
  },
  { unsupported: ['httpHeaders'] },
)
const tcpSocket = object<TcpSocket>({ port: required(portReference), host: optional(text()) })
const exec = object<ExecAction['exec']>({ command: fallback([], list(text())) })
const grpc = object<Grpc>({ port: required(integer(1, 65535)), service: fallback('', text()) })

interface WrittenProbe
  extends ProbeTiming,
    Partial<HttpGetAction & TcpSocketAction & ExecAction & GrpcAction> {}

const actions = ['httpGet', 'tcpSocket', 'exec', 'grpc'] as const
const seconds = (min: number) => integer(min, 2 ** 31 - 1)

const writtenProbe = checked(
  object<WrittenProbe>(
    {
      httpGet: optional(httpGet),
      tcpSocket: optional(tcpSocket),
      exec: optional(exec),
      grpc: optional(grpc),
      initialDelaySeconds: fallback(0, seconds(0)),
      periodSeconds: fallback(10, seconds(1)),
      timeoutSeconds: fallback(1, seconds(1)),
      successThreshold: fallback(1, seconds(1)),
      failureThreshold: fallback(3, seconds(1)),
    },
    { unsupported: ['terminationGracePeriodSeconds'] },
  ),
  (written, complain) => {
    const named = actions.filter((action) => written[action] !== undefined)
    if (named.length !== 1) {
      complain(
        [],
        `expected exactly one of ${actions.join(', ')}, got ${named.length === 0 ? 'none' : named.join(' and ')}`,
      )
    }
  },
)

/** A probe with its one action and Kubernetes' timing. */
export const probe: Shape<Probe> = mapped(writtenProbe, (written): Probe => {
  const { httpGet, tcpSocket, exec, grpc, ...timing } = written
  if (httpGet) return { httpGet, ...timing }
  if (tcpSocket) return { tcpSocket, ...timing }
  if (grpc) return { grpc, ...timing }
  return { exec: exec ?? { command: [] }, ...timing }
})
