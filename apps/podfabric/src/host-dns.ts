import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { frameMessages, frameReader, type Responder } from '@podfabric/dns'
import { type Ip, isV4, parseIp } from '@podfabric/netaddr'

export interface HostDns {
  readonly address: Ip
  readonly port: number
  close(): Promise<void>
}

/**
 * Answers over UDP and TCP at an address of this machine. Rejects with what the sockets say, and the address. An answer takes no
 * simulated time: it is made of the records as they are, in one go.
 */
export async function hostDns(
  responder: Responder,
  at: { readonly address: Ip; readonly port: number },
): Promise<HostDns> {
  const udp = createSocket(isV4(at.address) ? 'udp4' : 'udp6')
  try {
    udp.bind(at.port, at.address)
    await once(udp, 'listening')
  } catch (error) {
    udp.close()
    throw error
  }
  const { port } = udp.address()
  udp.on('message', (message, { address, port }) => {
    const answer = responder.answer(message, {
      transport: 'udp',
      source: { address: sourceOf(address), port },
    })
    if (answer) udp.send(answer, port, address, () => undefined) // an asker that cannot be reached asks again
  })
  const open = new Set<Socket>()
  const tcp = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    serveConnection(socket, responder)
  })
  try {
    tcp.listen(port, at.address)
    await once(tcp, 'listening')
  } catch (error) {
    udp.close()
    throw error
  }
  return {
    address: at.address,
    port: (tcp.address() as AddressInfo).port,
    async close() {
      const closed = [once(udp, 'close'), once(tcp, 'close')]
      udp.close()
      tcp.close()
      for (const socket of open) socket.destroy()
      await Promise.all(closed)
    },
  }
}

/** Milliseconds that a connection may be silent (RFC 7766, section 6.2.3). */
const idle = 10_000

function serveConnection(socket: Socket, responder: Responder): void {
  const frames = frameReader()
  const source = { address: sourceOf(socket.remoteAddress ?? '0.0.0.0'), port: socket.remotePort ?? 0 }
  socket.setTimeout(idle, () => socket.end())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    const answers = frames
      .push(chunk)
      .flatMap((message) => responder.answer(message, { transport: 'tcp', source }) ?? [])
    if (answers.length > 0) socket.write(frameMessages(answers))
  })
}

/** Node writes the zone behind a link-local address: `fe80::1%eth0`. */
function sourceOf(address: string): Ip {
  return parseIp(address.split('%', 1)[0] ?? address)
}
