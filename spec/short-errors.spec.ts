/** What a peer sent may become an argument as it is: what is said of it stays short, whatever its size. */
import t from 'tap'
import { MisuseError } from '../lib/protocol/misuse-error.ts'
import { things } from './mistakes/try.ts'

const SIZE = 4_000_000
const LONGEST = 4000

t.test('an error is short where a peer has made the argument', async t => {
  const { socket, server } = await things(t)
  const text = 'x'.repeat(SIZE)
  const values: unknown[] = [
    Buffer.alloc(SIZE),
    Array(SIZE / 8).fill('item'),
    { a: text },
    { [text]: 1 },
    { constructor: { name: text } },
    text,
  ]
  for (const value of values as never[]) {
    const calls: (() => unknown)[] = [
      () => socket.subscribe(value),
      () => socket.unsubscribe(value),
      () => socket.isSubscribed(value),
      () => socket.publish(value, 'a'),
      () => server.publish(value, 'a'),
      () => server.subscriberCount(value),
      () => socket.send('a', { compress: value }),
      () => socket.send('a', { [text]: value }),
      () => socket.publish('a', 'b', { scope: value }),
      () => server.broadcast('a', { except: value }),
      () => socket.close(value),
      () => socket.close(1000, text),
    ]
    for (const call of calls) {
      const error = thrown(call)
      t.ok(error instanceof MisuseError, String(call))
      t.ok(String(error).length < LONGEST, `${String(call)}: ${String(error).length} characters`)
    }
  }
})

function thrown(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    return error
  }
}
