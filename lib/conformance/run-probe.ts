/** Runs one case of the second set, from its handshake to its end: against a server, or with a client. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { Opcode } from '../protocol/opcode.ts'
import type { ProbeCase } from './case.ts'
import type { Outcome } from './conduct.ts'
import { closePayload, Peer, type CloseRecord } from './peer.ts'
import { judge, Probe } from './probe.ts'
import { gradeProbe, type Evidence } from './result.ts'
import type { RanCase } from './run-case.ts'
import { WireLog } from './wire-log.ts'
import { checkAnswer, dial, HANDSHAKE_TIME, openClient } from './wire/client-handshake.ts'
import { chooseOffer, formatOffers } from './wire/extension.ts'
import { answerKey, HandshakeFailure, makeKey, readHead, type Head } from './wire/http.ts'
import { ANSWER, fill, head, REQUEST } from './wire/handshake-text.ts'
import type { Request } from './wire/server-handshake.ts'

/** Characters of a head that a report keeps. */
const MOST_OF_HEAD = 4000

const UNIMPLEMENTED: Outcome = {
  behavior: 'UNIMPLEMENTED',
  result: 'The peer does not speak permessage-deflate as the case asks for it.',
  received: [],
}

/** A case on its way; what is not known yet is empty. */
interface Open {
  readonly probeCase: ProbeCase
  readonly agent: string
  readonly isServer: boolean
  readonly started: Date
  readonly clock: number
  readonly log: WireLog
  request: string
  response: string
}

/** @throws HandshakeFailure never: that is a verdict here */
export async function probeServer(
  url: URL,
  tls: ConnectionOptions,
  probeCase: ProbeCase,
  agent: string
): Promise<RanCase> {
  const open = opened(probeCase, agent, false)
  const socket = dial(url, tls)
  socket.on('error', () => {})
  socket.setNoDelay(true)
  const ran = await askServer(open, url, socket).catch((error: unknown) => ending(open, error))
  socket.destroy()
  if (ran.outcome.behavior === 'FAILED') return close(open, ran)
  const failure = await checkServes(url, tls)
  if (failure === undefined) return close(open, ran)
  const result = `Afterwards the server did not serve a new connection: ${failure}`
  return close(open, { ...ran, outcome: { ...ran.outcome, behavior: 'FAILED', result }, late: true })
}

/** With a client whose request has come. */
export async function probeClient(
  socket: Socket,
  request: Request,
  probeCase: ProbeCase,
  agent: string
): Promise<RanCase> {
  const open = opened(probeCase, agent, true)
  open.request = request.head.text
  const chosen = chooseOffer(request.head.headers.get('sec-websocket-extensions'), probeCase.wishes)
  if (chosen === undefined && probeCase.wishes.length > 0) return unimplementedClient(open, socket, request)
  const extension = chosen === undefined ? [] : [`Sec-WebSocket-Extensions: ${chosen.answer}`]
  open.response = fill(probeCase.handshake ?? head([...ANSWER, ...extension]), {
    accept: answerKey(request.key),
    key: request.key,
  })
  const peer = new Peer(socket, { isServer: true, compressed: chosen !== undefined, log: open.log })
  const probe = new Probe(probeCase, peer, true)
  socket.cork()
  writeHead(peer, open.response, probeCase)
  if (probeCase.early) probe.start()
  socket.uncork()
  peer.start(probe, request.head.rest)
  if (!probeCase.early) probe.start()
  await peer.over
  return close(open, { outcome: probe.outcome(), record: peer.record, late: probe.late || peer.record.closeTimedOut })
}

interface Ran {
  readonly outcome: Outcome
  readonly record?: CloseRecord
  readonly late: boolean
}

/** @throws HandshakeFailure where there is no answer, or none that can be read */
async function askServer(open: Open, url: URL, socket: Socket): Promise<Ran> {
  const { probeCase, log } = open
  const { wishes, early } = probeCase
  await connected(socket)
  const key = makeKey()
  const offer = wishes.length > 0 ? [`Sec-WebSocket-Extensions: ${formatOffers(wishes)}`] : []
  const target = `${url.pathname}${url.search}`
  const request = fill(probeCase.handshake ?? head([...REQUEST, ...offer]), { target, host: url.host, key })
  open.request = request
  const peer = new Peer(socket, { isServer: false, compressed: wishes.length > 0, log })
  const probe = new Probe(probeCase, peer, false)
  try {
    const answer = readHead(socket, HANDSHAKE_TIME)
    socket.cork()
    writeHead(peer, request, probeCase)
    if (early) probe.start()
    socket.uncork()
    const response = await answer
    open.response = response.text
    log.note('peer', response.line)
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(response.line)?.[1])
    if (status !== 101) return refused(probeCase, status, response)
    const agreement = checkAnswer(response, key, wishes)
    if (wishes.length > 0 && agreement === undefined) return { outcome: UNIMPLEMENTED, late: false }
    peer.start(probe, response.rest)
    if (!early) probe.start()
    await peer.over
    return { outcome: probe.outcome(), record: peer.record, late: probe.late || peer.record.closeTimedOut }
  } finally {
    peer.abandon()
  }
}

/** What is written in one turn leaves in one packet, if it has room. */
function writeHead(peer: Peer, text: string, { chop }: ProbeCase): void {
  const bytes = Buffer.from(text, 'latin1')
  const size = `${bytes.length.toLocaleString('en-US')} bytes`
  peer.sendBytes(bytes, `the handshake, ${size}${chop > 0 ? ` (${chop} at a time)` : ''}`, chop)
}

function refused(probeCase: ProbeCase, status: number, { line, headers }: Head): Ran {
  if (Number.isNaN(status)) {
    const result = `The server's answer is no HTTP: ${JSON.stringify(line.slice(0, 100))}.`
    return { outcome: { behavior: 'FAILED', result, received: [] }, late: false }
  }
  return { outcome: judge(probeCase, { ending: 'refuses', code: status, headers, events: [] }), late: false }
}

/** No answer to the request at all: TCP ended, or time ran out. */
function ending({ probeCase }: Open, error: unknown): Ran {
  if (!(error instanceof HandshakeFailure)) throw error
  if (error.head !== '') return { outcome: { behavior: 'FAILED', result: error.message, received: [] }, late: false }
  const { late } = error
  const observed = { ending: late ? 'waits' : 'refuses', code: undefined, events: [] } as const
  return { outcome: judge(probeCase, observed), late }
}

/** A good connection with one echo; a sentence where there is none. */
async function checkServes(url: URL, tls: ConnectionOptions): Promise<string | undefined> {
  try {
    const { socket, response } = await openClient(url, [], tls)
    const peer = new Peer(socket, { isServer: false, compressed: false, log: new WireLog() })
    let served = false
    const message = (): void => {
      served = true
      peer.close(closePayload(1000))
    }
    peer.start({ message, pong() {} }, response.rest)
    peer.after(HANDSHAKE_TIME / 1000, () => peer.abandon('No echo came.'))
    peer.sendMessage(Opcode.text, 0, Buffer.from('still there?'), 0)
    await peer.over
    return served ? undefined : 'no echo came.'
  } catch (error) {
    if (error instanceof HandshakeFailure) return error.message
    throw error
  }
}

async function unimplementedClient(open: Open, socket: Socket, request: Request): Promise<RanCase> {
  open.response = fill(head(ANSWER), { accept: answerKey(request.key) })
  socket.write(open.response)
  const peer = new Peer(socket, { isServer: true, compressed: false, log: open.log })
  peer.start({ message() {}, pong() {} }, request.head.rest)
  peer.close(closePayload(1000))
  await peer.over
  return close(open, { outcome: UNIMPLEMENTED, late: false })
}

async function connected(socket: Socket): Promise<void> {
  const signal = AbortSignal.timeout(HANDSHAKE_TIME)
  try {
    await once(socket, 'encrypted' in socket ? 'secureConnect' : 'connect', { signal })
  } catch (error) {
    throw new HandshakeFailure(`The connection failed: ${(error as Error).message}.`, signal.aborted)
  }
}

function opened(probeCase: ProbeCase, agent: string, isServer: boolean): Open {
  const common = { started: new Date(), clock: performance.now(), log: new WireLog(), request: '', response: '' }
  return { probeCase, agent, isServer, ...common }
}

function close(open: Open, { outcome, late, record }: Ran): RanCase {
  const { probeCase, clock, log, request, response } = open
  const evidence: Evidence = {
    ...open,
    quick: false,
    duration: performance.now() - clock,
    request: request.slice(0, MOST_OF_HEAD),
    response: response.slice(0, MOST_OF_HEAD),
    log: log.lines(),
  }
  return { result: gradeProbe(probeCase, outcome, record, evidence), late }
}
