import { type Ip, type Prefix, parseIp, parsePrefix } from '@podfabric/netaddr'
import { type Format, json } from '@podfabric/store'
import * as v from 'valibot'

/** What a plugin tells its peers along with its lease. Plain JSON. */
export type LeaseData = Readonly<Record<string, unknown>>

/** A node's subnet, as every other node sees it. */
export interface SubnetLease {
  readonly subnet: Prefix
  /** Where the node is reached in the underlay. */
  readonly publicIp: Ip
  /** The node's name; undefined for a lease that flanneld wrote. */
  readonly node: string | undefined
  /** All other members of the record, such as Flannel's `BackendType` and `BackendData`. */
  readonly data: LeaseData
}

/** Which node a subnet is kept for, whether its lease lives or not. */
export interface Reservation {
  readonly node: string
  readonly subnet: Prefix
}

/** The key of a subnet, as Flannel writes it: `10.244.1.0-24`. */
export function subnetKey(subnet: Prefix): string {
  return subnet.replace('/', '-')
}

/** The subnet that a key names, or an error that says what was expected. */
export function subnetOfKey(key: string): Prefix {
  const dash = key.lastIndexOf('-')
  if (dash < 0) throw new Error(`expected a subnet such as 10.244.1.0-24, got ${key}`)
  return parsePrefix(`${key.slice(0, dash)}/${key.slice(dash + 1)}`)
}

const ipSchema = v.pipe(v.string(), v.transform(parseIp))
const leaseSchema = v.looseObject({ PublicIP: ipSchema, Node: v.exactOptional(v.string()) })
const reservationSchema = v.object({ node: v.string(), subnet: v.pipe(v.string(), v.transform(parsePrefix)) })

/** Flannel's record with the node's name added; the names of its members are Flannel's. */
export const leaseFormat: Format<SubnetLease> = {
  parse: json((value, name): SubnetLease => {
    const { PublicIP: publicIp, Node: node, ...data } = check(leaseSchema, value)
    return { subnet: subnetOfKey(name), publicIp, node, data }
  }).parse,
  format: ({ publicIp, node, data }) => JSON.stringify({ ...data, PublicIP: publicIp, Node: node }),
}

/** A reservation, under the name of its node. */
export const reservationFormat: Format<Reservation> = json((value) => check(reservationSchema, value))

function check<const S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  throw new Error(v.summarize(result.issues))
}
