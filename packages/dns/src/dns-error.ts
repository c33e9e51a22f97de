/**
 * `DNS_TRUNCATED`: a message ends before what it announces. `DNS_MALFORMED`: a message contradicts the protocol.
 * `DNS_NAME`: a text that is no domain name. `DNS_TOO_LONG`: a message that does not fit into 65,535 octets.
 * `DNS_NO_NAME`: the name does not exist. `DNS_NO_DATA`: it exists without a record of the type asked for.
 * `DNS_SERVER_FAILED`: a server answered, but with an error or with nonsense. `DNS_TIMEOUT`: none answered in time.
 * `DNS_CONFIG`: a resolver's configuration is not usable.
 */
export type DnsErrorCode =
  | 'DNS_TRUNCATED'
  | 'DNS_MALFORMED'
  | 'DNS_NAME'
  | 'DNS_TOO_LONG'
  | 'DNS_NO_NAME'
  | 'DNS_NO_DATA'
  | 'DNS_SERVER_FAILED'
  | 'DNS_TIMEOUT'
  | 'DNS_CONFIG'

export class DnsError extends Error {
  override readonly name = 'DnsError'
  readonly code: DnsErrorCode

  constructor(code: DnsErrorCode, reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.code = code
  }
}
