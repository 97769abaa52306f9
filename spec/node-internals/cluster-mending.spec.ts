/** What the death of a worker does to the port, to clients on their way, and to the broadcasts of others. */
import t from 'tap'
import { frame } from '../helpers/frames.ts'
import { within } from '../helpers/journal.ts'
import { agree, fate, knocking, PATIENCE, PoolProgram } from '../helpers/pool-program.ts'
import { transpiled } from '../helpers/transpiled.ts'
import { WireClient } from '../helpers/wire-client.ts'

// Other processes take their time where the machine is busy.
t.setTimeout(180_000)

const PROGRAM = transpiled(t, 'spec/fixtures/pool.ts')

// The internals are what is tried here, also where the suite runs in portable mode.
delete process.env.KORE_WS_PORTABLE

t.test('the port that the system chose stays, whichever way the only worker goes', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 1)
  let reloads = 0
  for (const [at, how] of ['reload', 'kill', 'reload', 'kill'].entries()) {
    const { wire, pid } = await program.client(t)
    if (how === 'kill') {
      process.kill(pid, 'SIGKILL')
    } else {
      program.order('reload')
      await agree(wire, 1012)
    }
    const { port } = await program.next('listening', at + 1)
    t.equal(port, program.port, `${at}: ${how}`)
    if (how === 'reload') await program.next('reloaded', reloads++)
  }
})

t.test('in portable mode the only worker is replaced as well, at whatever port', async t => {
  process.env.KORE_WS_PORTABLE = '1'
  t.teardown(() => void delete process.env.KORE_WS_PORTABLE)
  const program = await PoolProgram.start(t, PROGRAM, 1)
  const { pid } = await program.client(t)
  process.kill(pid, 'SIGKILL')
  program.port = (await program.next('listening', 1)).port ?? 0
  t.not((await program.client(t)).pid, pid)
})

t.test('a client that comes while the only worker dies is served or refused, and never waits for ever', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 1)
  const knocks = knocking(program.port)
  for (let at = 0; at < 2; at++) {
    process.kill(program.of('listening')[at].pid ?? 0, 'SIGKILL')
    await program.next('listening', at + 1)
  }
  const outcomes = await knocks.stop()
  const allowed = new Set(['101', 'ECONNREFUSED', 'ECONNRESET', 'lost'])
  t.strictSame([...outcomes.keys()].filter(outcome => !allowed.has(outcome)), [], JSON.stringify([...outcomes]))
  await program.client(t)
})

t.test('clients that are on their way to a worker that dies are served by another', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 2)
  const [victim] = [...(await program.clients(t, 2)).keys()]
  process.kill(victim, 'SIGSTOP')
  const coming = Array.from({ length: 4 }, () => program.client(t))
  await Promise.race(coming)
  process.kill(victim, 'SIGKILL')
  for (const { pid } of await within(Promise.all(coming), 'all clients', PATIENCE)) t.not(pid, victim)
})

t.test('clients that are on their way when all workers die are let go, or served by those that come', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 2)
  const victims = [...(await program.clients(t, 2)).keys()]
  // Workers that lived for a second are replaced at once, by some that do not listen yet.
  await new Promise(resolve => setTimeout(resolve, 1100))
  for (const victim of victims) process.kill(victim, 'SIGSTOP')
  const host = '127.0.0.1'
  const coming = await Promise.all(Array.from({ length: 4 }, () => WireClient.to({ port: program.port, host })))
  const fates = coming.map(wire => fate(wire))
  for (const victim of victims) process.kill(victim, 'SIGKILL')
  for (const outcome of await Promise.all(fates)) t.ok(['101', 'lost'].includes(outcome), outcome)
  await program.next('listening', 2)
  await program.client(t)
})

t.test('a worker that is killed takes only its own clients: broadcasts of the others stay whole and in order', async t => {
  const program = await PoolProgram.start(t, PROGRAM, 3)
  const clients = await program.clients(t, 3)
  const [[, sender], [receiving, receiver], [first]] = [...clients]
  const MESSAGES = 600
  let killed = 0
  let victim = first
  const kill = async (): Promise<void> => {
    for (; killed < 3; killed++) {
      process.kill(victim, 'SIGKILL')
      victim = (await program.next('listening', 3 + killed)).pid ?? 0
    }
  }
  const killing = kill()
  let sent = 0
  let going = true
  const done = killing.finally(() => (going = false))
  while (going || sent < MESSAGES) {
    sender.send(frame('81', `message ${sent++}`))
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  await done
  await receiver.journal.until(`text message ${sent - 1}`, PATIENCE)
  const heard = receiver.journal.lines.filter(line => line.startsWith('text message'))
  t.equal(heard.length, sent, `${sent} sent while ${killed} workers were killed`)
  t.equal(heard.findIndex((line, at) => line !== `text message ${at}`), -1, 'in order')
  t.notOk(program.of('exit').some(({ pid }) => pid === receiving))
  t.equal(program.of('exit').length, 3)
})
