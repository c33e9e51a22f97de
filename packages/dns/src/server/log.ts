/** The part of a log that this package writes to. */
export interface DnsLog {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void
  error(message: string, facts?: Readonly<Record<string, unknown>>): void
}

export const silent: DnsLog = { debug() {}, error() {} }
