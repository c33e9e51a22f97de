import { createConnection } from 'node:net'

/** Whether some process answers at this Unix socket. It is hung up on at once, which an agent takes for a call given up. */
export function isListening(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection({ path: socket })
    connection.on('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.on('error', () => resolve(false))
  })
}
