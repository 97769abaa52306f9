/** kore_shutdown: the flag that its close frames set, and the code that they have where none is given. */
import t from 'tap'
import {
  CONN_STATE_ESTABLISHED,
  CONN_WS_CLOSE_SENT,
  connections,
  kore_shutdown,
  kore_websocket_send,
  WEBSOCKET_OP_TEXT,
} from '../../lib/kore.ts'
import { closeFrame, frame, masked } from '../helpers/frames.ts'
import { agree, PoolProgram } from '../helpers/pool-program.ts'
import { transpiled } from '../helpers/transpiled.ts'
import { Served } from './served.ts'

// Other processes take their time where the machine is busy.
t.setTimeout(180_000)

const PROGRAM = transpiled(t, 'spec/kore/fixtures/pool.ts')
const OTHER_FLAG = 0x40

t.test('CONN_WS_CLOSE_SENT is set for each connection as its close frame goes out, beside flags of the program\'s own', async t => {
  const served = await Served.start(t)
  const seen: number[] = []
  served.disconnected = c => seen.push(c.flags)
  const pairs = [await served.pair(), await served.pair()]
  pairs[1].c.flags = OTHER_FLAG
  t.strictSame(pairs.map(({ c }) => c.flags), [0, OTHER_FLAG])
  const done = kore_shutdown()
  const flags = [CONN_WS_CLOSE_SENT, OTHER_FLAG | CONN_WS_CLOSE_SENT]
  t.strictSame(pairs.map(({ c }) => c.flags), flags, 'at once')
  t.strictSame(pairs.map(({ c }) => c.state), [CONN_STATE_ESTABLISHED, CONN_STATE_ESTABLISHED], 'though none is over')
  t.notOk(kore_websocket_send(pairs[0].c, WEBSOCKET_OP_TEXT, 'late'), 'nothing may follow a close frame')
  for (const { client } of pairs) {
    t.equal(await client.readAs(closeFrame(1001)), closeFrame(1001))
    client.send(masked(closeFrame(1001)))
    t.equal(await client.rest(), '')
  }
  t.strictSame(await done, { closed: 2, dropped: 0, refused: 0 })
  t.strictSame(seen.sort(), flags, 'and is there in ondisconnect')
})

t.test('a connection that comes behind the call is not told to go', async t => {
  const served = await Served.start(t)
  const first = await served.pair()
  const done = kore_shutdown(4000)
  const late = await served.pair()
  t.equal(late.c.flags, 0)
  t.equal(await first.client.readAs(closeFrame(4000)), closeFrame(4000), 'a code of one\'s own')
  first.client.send(masked(closeFrame(4000)))
  t.strictSame(await done, { closed: 1, dropped: 0, refused: 0 })
  t.strictSame([...connections], [late.c])
  kore_websocket_send(late.c, WEBSOCKET_OP_TEXT, 'hi')
  t.equal(await late.client.readAs(frame('81', 'hi')), frame('81', 'hi'))
})

t.test('without a code: 1012 in a worker that is being replaced, else 1001', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 2)
  const old = await program.clients(t, 2)
  program.order('reload')
  await Promise.all([...old.values()].map(wire => agree(wire, 1012)))
  await program.next('reloaded')
  const fresh = await program.clients(t, 2)
  t.equal(fresh.size, 2)
  program.order('close')
  await Promise.all([...fresh.values()].map(wire => agree(wire, 1001)))
  await program.next('closed')
  t.strictSame(program.of('exit').map(({ signal }) => signal), [null, null, null, null], 'each worker ended by itself')
})

t.test('a code that is given wins, whether the worker is replaced or not', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 1, { nature: '1001' })
  const { wire } = await program.client(t)
  program.order('reload')
  await agree(wire, 1001)
  await program.next('reloaded')
  program.order('close')
  await program.next('closed')

  const other = await PoolProgram.start(t, PROGRAM, 1, { nature: '4321' })
  const client = await other.client(t)
  other.order('close')
  await agree(client.wire, 4321)
  await other.next('closed')
})
