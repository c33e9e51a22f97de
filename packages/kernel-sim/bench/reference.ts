// The same way of a packet as people write it first: objects for packets and headers, closures for links, Maps with
// strings for tables, a fresh buffer for each encapsulation. Only what the hops need: no sockets, no neighbors, no rules.

interface ReferencePacket {
  bytes: Buffer
}

type Link = (packet: ReferencePacket) => void

interface ReferenceNode {
  readonly address: string
  readonly bridge: Map<string, Link>
  readonly routes: Map<string, { readonly peer: string; readonly mac: string }>
}

export interface ReferenceCluster {
  /** Sends 64 octets from one pod to another; whether they arrived. */
  send(from: number, to: number): boolean
}

const mac = (node: number, pod: number) =>
  `02:00:00:${node.toString(16).padStart(4, '0')}:${pod.toString(16).padStart(4, '0')}`
const podAddress = (node: number, pod: number) => `10.${100 + (node >> 8)}.${node & 255}.${pod + 2}`
const octets = (address: string) => address.split('.').map(Number)

export function referenceCluster(nodes: number, podsPerNode: number): ReferenceCluster {
  let arrived = 0
  const all = new Map<string, ReferenceNode>()
  const list: ReferenceNode[] = []
  for (let n = 0; n < nodes; n++) {
    const node: ReferenceNode = {
      address: `192.168.${n >> 8}.${n & 255}`,
      bridge: new Map(),
      routes: new Map(),
    }
    all.set(node.address, node)
    list.push(node)
    for (let p = 0; p < podsPerNode; p++) {
      const own = podAddress(n, p)
      node.bridge.set(mac(n, p), (packet) => {
        if (packet.bytes.subarray(30, 34).join('.') === own) arrived++
      })
    }
  }
  list.forEach((node, n) => {
    for (let other = 0; other < nodes; other++) {
      if (other === n) continue
      const network = `10.${100 + (other >> 8)}.${other & 255}.0/24`
      node.routes.set(network, { peer: (list[other] as ReferenceNode).address, mac: mac(other, 0) })
    }
  })
  const forward = (node: ReferenceNode, packet: ReferencePacket): void => {
    const [a, b, c, d = 0] = packet.bytes.subarray(30, 34)
    const route = node.routes.get(`${a}.${b}.${c}.0/24`)
    decrementTtl(packet.bytes)
    if (route === undefined) {
      const n = list.indexOf(node)
      node.bridge.get(mac(n, d - 2))?.(packet)
      return
    }
    const underlay = encapsulate(packet, node.address, route.peer)
    const peer = all.get(underlay.bytes.subarray(30, 34).join('.'))
    if (peer === undefined || !headerHolds(underlay.bytes, 14)) return
    forward(peer, { bytes: underlay.bytes.subarray(50) })
  }
  return {
    send(from, to) {
      const before = arrived
      const bytes = Buffer.alloc(64)
      const fromNode = Math.floor(from / podsPerNode)
      writeIpv4(
        bytes,
        14,
        50,
        podAddress(fromNode, from % podsPerNode),
        podAddress(Math.floor(to / podsPerNode), to % podsPerNode),
      )
      forward(list[fromNode] as ReferenceNode, { bytes })
      return arrived > before
    },
  }
}

function writeIpv4(bytes: Buffer, at: number, length: number, source: string, destination: string): void {
  bytes.writeUInt16BE(0x4500, at)
  bytes.writeUInt16BE(length, at + 2)
  bytes.writeUInt8(64, at + 8)
  bytes.writeUInt8(17, at + 9)
  bytes.set(octets(source), at + 12)
  bytes.set(octets(destination), at + 16)
  bytes.writeUInt16BE(checksum(bytes, at), at + 10)
}

function checksum(bytes: Buffer, at: number): number {
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += i === 10 ? 0 : bytes.readUInt16BE(at + i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function headerHolds(bytes: Buffer, at: number): boolean {
  return bytes.readUInt16BE(at + 10) === checksum(bytes, at)
}

function decrementTtl(bytes: Buffer): void {
  if (!headerHolds(bytes, 14)) return
  bytes.writeUInt8(bytes.readUInt8(22) - 1, 22)
  bytes.writeUInt16BE(checksum(bytes, 14), 24)
}

function encapsulate(packet: ReferencePacket, source: string, destination: string): ReferencePacket {
  const header = Buffer.alloc(50)
  writeIpv4(header, 14, 36 + packet.bytes.length, source, destination)
  header.writeUInt16BE(50_000, 34)
  header.writeUInt16BE(8472, 36)
  header.writeUInt16BE(16 + packet.bytes.length, 38)
  header.writeUInt8(8, 42)
  header.writeUInt8(1, 48)
  return { bytes: Buffer.concat([header, packet.bytes]) }
}
