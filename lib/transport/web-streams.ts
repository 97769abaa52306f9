/** A connection as a pair of web streams, as WebSocketStream has them, with backpressure both ways. */
import { ReadableStream, WritableStream } from 'node:stream/web'
import { CloseCode } from '../protocol/close-code.ts'
import { ConnectionClosedError } from './connection-closed-error.ts'
import type { Connection } from './connection.ts'
import type { Message } from './message.ts'
import type { Payload } from './payload.ts'

export interface WebStreams {
  /** Each chunk a message. Ends as a loop over the connection does, or errors as it throws. */
  readonly readable: ReadableStream<Message>
  /** Each chunk a message; `write` resolves when the peer keeps up. `close` starts the closing handshake, with 1000. Errors when the connection is over. */
  readonly writable: WritableStream<Payload>
}

/**
 * The connection's messages as streams, in place of its `message` callback. Cancelling the readable side or closing the
 * writable one closes the connection with 1000; aborting the writable one drops it.
 */
export function webStreams(connection: Connection): WebStreams {
  const messages = connection[Symbol.asyncIterator]().claim()
  const readable = new ReadableStream<Message>(
    {
      async pull(controller) {
        const { done, value } = await messages.next()
        if (done !== true) {
          controller.enqueue(value)
          return
        }
        controller.close()
      },
      async cancel() {
        connection.close(CloseCode.normal)
        await messages.return()
      },
    },
    { highWaterMark: 0 }
  )
  const writable = new WritableStream<Payload>({
    start(controller) {
      // A pipe whose source has nothing to give would not notice. A turn later, for one from our readable side hears of the
      // end there first, and a clean one is no failure.
      connection.whileOpen(new Promise(() => {})).catch((error: unknown) => setImmediate(() => controller.error(error)))
    },
    async write(chunk) {
      if (connection.readyState !== 'open') throw new ConnectionClosedError(connection.closeInfo)
      if (!connection.send(chunk)) await connection.drained()
    },
    close: () => connection.close(CloseCode.normal),
    abort: () => connection.terminate('aborted'),
  })
  return { readable, writable }
}
