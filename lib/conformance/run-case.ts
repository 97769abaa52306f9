/** Runs one case over one connection that has been opened, and grades it. */
import type { Socket } from 'node:net'
import { CloseCode } from '../protocol/close-code.ts'
import type { Case, CompressedCase, ProbeCase } from './case.ts'
import { compressedMessages } from './compressed-messages.ts'
import type { Conduct } from './conduct.ts'
import { Echoes, plainMessages } from './echoes.ts'
import { closePayload, Peer } from './peer.ts'
import { grade, type CaseResult } from './result.ts'
import { Script } from './script.ts'
import { WireLog } from './wire-log.ts'
import type { Agreement } from './wire/extension.ts'

/** Messages that a compressed case has in a quick run. */
export const QUICK_COUNT = 50

/** All but those that make their own handshake. */
export type RunnableCase = Exclude<Case, ProbeCase>

export interface OpenCase {
  readonly testCase: RunnableCase
  readonly agent: string
  readonly isServer: boolean
  readonly quick: boolean
  readonly socket: Socket
  readonly agreement: Agreement | undefined
  /** What came behind the handshake. */
  readonly rest: Buffer
  readonly request: string
  readonly response: string
}

export interface RanCase {
  readonly result: CaseResult
  /** A time limit passed: the verdict may be the fault of a busy machine. */
  readonly late: boolean
}

export async function runCase(open: OpenCase): Promise<RanCase> {
  const { testCase, isServer, agreement, socket, rest } = open
  const started = new Date()
  const clock = performance.now()
  const log = new WireLog()
  const peer = new Peer(socket, { isServer, compressed: agreement !== undefined, log })
  const conduct = conductOf(open, peer)
  conduct.start()
  peer.start(conduct, rest)
  await peer.over
  const duration = performance.now() - clock
  const { record } = peer
  const result = grade(testCase, conduct.outcome(), record, { ...open, started, duration, log: log.lines() })
  return { result, late: conduct.late || record.closeTimedOut || record.dropTimedOut }
}

/** What the tester offers or accepts of permessage-deflate in a case. */
export function wishesOf(testCase: Case): CompressedCase['wishes'] {
  return testCase.kind === 'compressed' ? testCase.wishes : []
}

function conductOf({ testCase, agreement, isServer, quick }: OpenCase, peer: Peer): Conduct {
  if (testCase.kind === 'scripted') return new Script(testCase, peer)
  if (testCase.kind === 'echo') return new Echoes(plainMessages(testCase, peer), peer)
  if (agreement === undefined) return unimplemented(peer)
  const count = quick ? Math.min(QUICK_COUNT, testCase.count) : testCase.count
  return new Echoes(compressedMessages(testCase, agreement, peer, isServer, count), peer)
}

/** The peer does not speak the extension that the case is about. */
function unimplemented(peer: Peer): Conduct {
  return {
    start: () => peer.close(closePayload(CloseCode.normal)),
    message: () => {},
    pong: () => {},
    outcome: () => ({
      behavior: 'UNIMPLEMENTED',
      result: 'The peer does not speak permessage-deflate as the case asks for it.',
      received: [],
    }),
    late: false,
  }
}
