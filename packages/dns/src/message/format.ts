import type { Name } from './name.ts'
import type { RecordData, ResourceRecord } from './record.ts'

/** A record as zone files and dig write it: `web.default.svc.cluster.local. 5 IN A 10.96.0.7`. */
export function formatRecord(record: ResourceRecord): string {
  return `${absolute(record.name)} ${record.ttl} ${record.class} ${record.type} ${formatData(record)}`
}

function formatData(data: RecordData): string {
  switch (data.type) {
    case 'A':
    case 'AAAA':
      return data.address
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return absolute(data.target)
    case 'MX':
      return `${data.preference} ${absolute(data.exchange)}`
    case 'SRV':
      return `${data.priority} ${data.weight} ${data.port} ${absolute(data.target)}`
    case 'TXT':
      return data.strings.map(quoted).join(' ')
    case 'SOA':
      return [
        absolute(data.primary),
        absolute(data.mailbox),
        data.serial,
        data.refresh,
        data.retry,
        data.expire,
        data.minimum,
      ].join(' ')
    default:
      return `\\# ${data.data.length} ${hex(data.data)}`.trimEnd()
  }
}

function absolute(name: Name): string {
  return name === '.' ? name : `${name}.`
}

/** Printable ASCII as it is, other octets as `\DDD`. */
function quoted(string: Uint8Array): string {
  const text = [...string].map((octet) => {
    if (octet === 34 || octet === 92) return `\\${String.fromCharCode(octet)}`
    return octet >= 32 && octet < 127 ? String.fromCharCode(octet) : `\\${String(octet).padStart(3, '0')}`
  })
  return `"${text.join('')}"`
}

function hex(octets: Uint8Array): string {
  return [...octets].map((octet) => octet.toString(16).padStart(2, '0')).join('')
}
