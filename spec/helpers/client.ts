/** Connections made by `connect`, gone with the test, and attempts that have to fail. */
import type { Test } from 'tap'
import { connect } from '../../lib/client.ts'
import type { ConnectOptions } from '../../lib/client-options.ts'
import type { Connection } from '../../lib/transport/connection.ts'
import type { Message } from '../../lib/transport/message.ts'
import { PATIENCE, within } from './journal.ts'

/** Milliseconds for the look-up of a name: a packet that is lost is sent again after 5 s, and the next server is asked. */
export const LOOKUP = 60_000

/** An open connection. */
export async function open(t: Test, url: string | URL, options?: ConnectOptions): Promise<Connection> {
  const connection = await within(connect(url, options), 'a connection')
  t.teardown(() => connection.terminate())
  return connection
}

/** What an attempt is rejected with. */
export async function failureOf(attempt: Promise<Connection>, time = PATIENCE): Promise<Error & Record<string, unknown>> {
  try {
    const connection = await within(attempt, 'a failure', time)
    connection.terminate()
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('it was expected to fail')
}

/** The next `count` messages. */
export async function take(connection: Connection, count: number): Promise<Message[]> {
  const messages: Message[] = []
  const iterator = connection[Symbol.asyncIterator]()
  while (messages.length < count) {
    const { value, done } = await within(iterator.next(), () => `message ${messages.length + 1} of ${count}`)
    if (done === true) throw new Error(`the connection ended after ${messages.length} of ${count} messages`)
    messages.push(value)
  }
  return messages
}
