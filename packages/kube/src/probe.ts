/** A port by number (1 to 65535) or by the name that a container gives it. */
export type PortReference = number | string

export interface HttpGetAction {
  readonly httpGet: {
    readonly path: string
    readonly port: PortReference
    readonly scheme: 'HTTP' | 'HTTPS'
    /** The pod's own address when absent. */
    readonly host?: string
  }
}

export interface TcpSocketAction {
  readonly tcpSocket: { readonly port: PortReference; readonly host?: string }
}

export interface ExecAction {
  readonly exec: { readonly command: readonly string[] }
}

export interface GrpcAction {
  readonly grpc: { readonly port: number; readonly service: string }
}

/** Exactly one action, with Kubernetes' defaults filled in: 0 s delay, every 10 s, 1 s timeout, 1 success, 3 failures. */
export type Probe = (HttpGetAction | TcpSocketAction | ExecAction | GrpcAction) & ProbeTiming

export interface ProbeTiming {
  readonly initialDelaySeconds: number
  readonly periodSeconds: number
  readonly timeoutSeconds: number
  readonly successThreshold: number
  readonly failureThreshold: number
}
