/** WebSockets with all that happens to them written down. */
import type { Test } from 'tap'
import { WebSocket } from '../../lib/websocket.ts'
import { hex } from './frames.ts'
import { Journal } from './journal.ts'

export interface Watched {
  readonly socket: WebSocket
  /** `open`, `text a`, `binary 61`, `blob 61`, `error`, `close 1000 bye, clean`; each with the state it was in. */
  readonly journal: Journal
}

/** Writes the events of a socket down, and closes it with the test. */
export function watch(t: Test, socket: WebSocket): Watched {
  const journal = new Journal()
  const log = (line: string): void => journal.add(`${socket.readyState} ${line}`)
  socket.addEventListener('open', () => log('open'))
  socket.addEventListener('error', () => log('error'))
  socket.addEventListener('close', event => {
    log(`close ${event.code}${event.reason === '' ? '' : ` ${event.reason}`}, ${event.wasClean ? 'clean' : 'not clean'}`)
  })
  socket.addEventListener('message', ({ data }) => {
    log(typeof data === 'string' ? `text ${data}` : data instanceof Blob ? `blob of ${data.size}` : `binary ${hex(new Uint8Array(data as ArrayBuffer))}`)
  })
  t.teardown(() => socket.close())
  return { socket, journal }
}

/** An open one. */
export async function opened(t: Test, ...given: ConstructorParameters<typeof WebSocket>): Promise<Watched> {
  const watched = watch(t, new WebSocket(...given))
  await watched.journal.until('1 open')
  return watched
}
