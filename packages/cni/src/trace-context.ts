/** W3C Trace Context, as environment variables TRACEPARENT and TRACESTATE carry it to an executable. */
export interface TraceContext {
  readonly traceparent: string
  readonly tracestate?: string
}
