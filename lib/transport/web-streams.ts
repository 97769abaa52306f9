/** A connection as a pair of web streams, as WebSocketStream has them, with backpressure both ways. */
import { ReadableStream, WritableStream } from 'node:stream/web'
import { CloseCode } from '../protocol/close-code.ts'
import type { Connection } from './connection.ts'
import type { Message } from './message.ts'
import type { Payload } from './payload.ts'

export interface WebStreams {
  /** Each chunk a message. Ends as the connection does; errors where that was not with 1000, 1001 or 1005. */
  readonly readable: ReadableStream<Message>
  /** Each chunk a message; `write` resolves when the peer keeps up. `close` starts the closing handshake, with 1000. Errors when the connection is over. */
  readonly writable: WritableStream<Payload>
}

const CLEAN: readonly number[] = [CloseCode.normal, CloseCode.goingAway, CloseCode.noStatus]

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
        const { code, reason } = connection.closed ?? { code: CloseCode.abnormal, reason: '' }
        if (CLEAN.includes(code)) controller.close()
        else controller.error(Object.assign(new Error(`the connection ended with ${code} ${reason}`.trim()), { code: 'connection-closed' }))
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
      if (connection.readyState !== 'open') throw Object.assign(new Error('the connection is closed'), { code: 'connection-closed' })
      if (!connection.send(chunk)) await connection.drained()
    },
    close: () => connection.close(CloseCode.normal),
    abort: () => connection.terminate('aborted'),
  })
  return { readable, writable }
}
