/** startWorkers: replacing workers, one after another, and ending them. */
import t from 'tap'
import { startWorkers } from '../../lib/broadcast/workers.ts'
import { usesInternals } from '../../lib/node-internals/switch.ts'
import { frame } from '../helpers/frames.ts'
import { agree, knocking, PATIENCE, PoolProgram } from '../helpers/pool-program.ts'
import { transpiled } from '../helpers/transpiled.ts'

// Other processes take their time where the machine is busy.
t.setTimeout(180_000)

const PROGRAM = transpiled(t, 'spec/fixtures/pool.ts')

for (const count of [1, 2]) {
  t.test(`reload of ${count}: each new worker listens before an old one ends; no client is refused`, async t => {
    const program = await PoolProgram.start(t, PROGRAM, count)
    const old = await program.clients(t, count)
    const knocks = knocking(program.port)
    program.order('reload')
    await Promise.all([...old.values()].map(wire => agree(wire, 1012)))
    await program.next('reloaded')
    const outcomes = await knocks.stop()
    t.strictSame([...outcomes.keys()], ['101'], JSON.stringify([...outcomes]))

    const kinds = program.notes.filter(({ note }) => note === 'listening' || note === 'exit').map(({ note }) => note)
    const expected = [...Array(count).fill('listening'), ...Array(count).fill(['listening', 'exit']).flat()]
    t.strictSame(kinds, expected, 'one after another')
    t.strictSame(new Set(program.of('exit').map(({ pid }) => pid)), new Set(old.keys()), 'the old ones are gone')
    t.strictSame(program.of('exit').map(({ signal }) => signal), Array(count).fill(null), 'on their own')
    t.strictSame(new Set(program.of('listening').map(({ port }) => port)), new Set([program.port]))
    const fresh = await program.clients(t, count)
    t.equal(fresh.size, count)
    for (const pid of old.keys()) t.notOk(fresh.has(pid))
  })
}

t.test('a worker that is being replaced still gets and sends broadcasts', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 2)
  const clients = await program.clients(t, 2)
  program.order('reload')
  await program.next('listening', 2)
  await new Promise(resolve => setTimeout(resolve, 200))
  const [[, one], [, other]] = [...clients]
  t.equal(program.of('exit').length, 0, 'clients that have just come have a second')
  one.send(frame('81', 'from one'))
  await other.journal.until('text from one', PATIENCE)
  other.send(frame('81', 'from the other'))
  await one.journal.until('text from the other', PATIENCE)
  await Promise.all([agree(one, 1012), agree(other, 1012)])
  await program.next('reloaded')
})

t.test('a new worker that does not listen in time is killed, one that ends is not waited for; the old ones stay', async t => {
  for (const [nature, readyTime, signal] of [['mute', 6000, 'SIGKILL'], ['faint', 60_000, null]] as const) {
    const program = await PoolProgram.start(t, PROGRAM, 1, { readyTime })
    const { wire, pid } = await program.client(t)
    program.order(`as ${nature}`)
    program.order('reload')
    const { message } = await program.next('not reloaded')
    t.equal(message, `a new worker did not listen within ${readyTime} ms, or ended: the old ones stay`)
    t.equal((await program.next('exit')).signal, signal)
    wire.send(frame('81', 'still there?'))
    await wire.journal.until('text still there?', PATIENCE)
    const later = await program.client(t)
    t.equal(later.pid, pid)
    later.wire.socket.destroy()
    program.order('as usual')
    program.order('reload')
    await agree(wire, 1012)
    await program.next('reloaded')
    t.not((await program.client(t)).pid, pid, 'the next reload is not harmed')
  }
})

t.test('an old worker that dies while its successor fails is replaced', async t => {
  // The mute one has to be online before its time is over.
  const program = await PoolProgram.start(t, PROGRAM, 1, { readyTime: 6000 })
  const { pid } = await program.client(t)
  program.order('as mute')
  program.order('reload')
  await program.next('online', 1)
  program.order('as usual')
  process.kill(pid, 'SIGKILL')
  await program.next('not reloaded')
  const { port = 0 } = await program.next('listening', 1)
  // Without the messages that cluster sends itself, a port that the system chose is lost with the last worker.
  if (usesInternals) t.equal(port, program.port)
  else program.port = port
  await program.client(t)
  t.equal(program.of('online').length, 3, 'once')
})

t.test('a worker that does not end is killed in time, at reload and at close', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 1, { endingTime: 500, nature: 'stuck' })
  const { pid } = await program.client(t)
  program.order('reload')
  await program.next('reloaded')
  t.match(await program.next('exit'), { pid, signal: 'SIGKILL' })
  program.order('close')
  await program.next('closed')
  t.match(await program.next('exit', 1), { signal: 'SIGKILL' })
})

t.test('two reloads at once follow one another; close ends a reload, and none begins after it', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 1)
  program.order('reload')
  program.order('reload')
  await program.next('reloaded', 1)
  t.strictSame(program.of('listening').length, 3)
  t.strictSame(program.of('exit').length, 2)
  program.order('reload')
  await program.next('online', 3)
  program.order('close')
  await program.next('closed')
  await program.next('reloaded', 2)
  program.order('reload')
  await program.next('reloaded', 3)
  t.equal(program.of('online').length, 4)
  t.equal(program.of('exit').length, 4)
})

t.test('when the primary ends, its workers do', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 1, { nature: 'stuck' })
  const { wire } = await program.client(t)
  program.order('exit')
  await wire.journal.until('end', PATIENCE)
})

t.test('times that are none are misuse', async t => {
  for (const name of ['readyTime', 'endingTime']) {
    for (const wrong of [-1, 1.5, NaN, '5']) {
      const message = new RegExp(`^${name} must`)
      t.throws(() => startWorkers(1, () => {}, { [name]: wrong }), { name: 'MisuseError', code: 'invalid-option', message })
    }
  }
})
