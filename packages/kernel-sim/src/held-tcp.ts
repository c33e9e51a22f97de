import type { Sockets, TcpConnection, TcpListener } from '@podfabric/kernel'
import type { NetworkNamespace } from './network-namespace.ts'

/** TCP sockets that keep their namespace until they are let go of. */
export function heldTcp(netns: NetworkNamespace): Pick<Sockets, 'listen' | 'connect'> {
  return {
    listen: async (local) => heldListener(netns, netns.tcp.listen(local)),
    connect: async (remote, options) => {
      const { release } = holdOnce(netns)
      try {
        const connection = await netns.tcp.connect(remote, options)
        return heldConnection(netns, connection)
      } finally {
        release()
      }
    },
  }
}

function holdOnce(netns: NetworkNamespace): { release(): void } {
  let held = true
  netns.hold()
  return {
    release() {
      if (!held) return
      held = false
      netns.release()
    },
  }
}

function heldListener(netns: NetworkNamespace, listener: TcpListener): TcpListener {
  const { release } = holdOnce(netns)
  const close = async (): Promise<void> => {
    await listener.close()
    netns.simulation.run()
    release()
  }
  return {
    local: listener.local,
    accept: async (options) => heldConnection(netns, await listener.accept(options)),
    close,
    [Symbol.asyncDispose]: close,
    async *[Symbol.asyncIterator]() {
      for await (const connection of listener) yield heldConnection(netns, connection)
    },
  }
}

function heldConnection(netns: NetworkNamespace, connection: TcpConnection): TcpConnection {
  const { release } = holdOnce(netns)
  const letGo = async (end: () => Promise<void>): Promise<void> => {
    await end()
    netns.simulation.run()
    release()
  }
  const close = (): Promise<void> => letGo(() => connection.close())
  return {
    local: connection.local,
    remote: connection.remote,
    read: (options) => connection.read(options),
    write: (data) => connection.write(data),
    finish: () => connection.finish(),
    close,
    reset: () => letGo(() => connection.reset()),
    [Symbol.asyncDispose]: close,
    [Symbol.asyncIterator]: () => connection[Symbol.asyncIterator](),
  }
}
