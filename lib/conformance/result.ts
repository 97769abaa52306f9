/** What a case came to: graded as Autobahn grades it, under the names that its reports use. */
import { Opcode } from '../protocol/opcode.ts'
import { toBuffer, type Allowed, type Case, type CaseEvent, type ProbeCase } from './case.ts'
import type { Behavior, Outcome, RecordedEvent } from './conduct.ts'
import type { CloseRecord } from './peer.ts'
import { describeBytes, describeSize, type LogLine } from './wire-log.ts'

/** How the connection ended. */
export type CloseBehavior = 'OK' | 'WRONG CODE' | 'UNCLEAN' | 'FAILED BY CLIENT' | 'INFORMATIONAL' | 'FAILED'

export interface CaseResult {
  readonly id: string
  readonly agent: string
  /** What the tester sends, and what has to come. */
  readonly description: string
  readonly expectation: string
  readonly behavior: Behavior
  readonly behaviorClose: CloseBehavior
  /** Why, in a sentence each. */
  readonly result: string
  readonly resultClose: string
  /** When the case began (ISO 8601), and milliseconds from the open connection to its end. */
  readonly started: string
  readonly duration: number
  /** A quick run: the compressed cases had fewer messages. */
  readonly quick: boolean
  readonly expected: Readonly<Record<string, readonly string[]>>
  readonly received: readonly string[]
  readonly expectedClose: {
    readonly closedByMe: boolean
    readonly closeCode: readonly number[]
    readonly requireClean: boolean
  }
  /** The tester was the server; it was the first to close; it failed the connection; it dropped TCP. */
  readonly isServer: boolean
  readonly closedByMe: boolean
  readonly failedByMe: boolean
  readonly droppedByMe: boolean
  readonly wasClean: boolean
  readonly wasNotCleanReason: string | null
  readonly wasServerConnectionDropTimeout: boolean
  readonly wasOpenHandshakeTimeout: boolean
  readonly wasCloseHandshakeTimeout: boolean
  readonly localCloseCode: number | null
  readonly remoteCloseCode: number | null
  readonly remoteCloseReason: string | null
  readonly httpRequest: string
  readonly httpResponse: string
  readonly wirelog: readonly LogLine[]
}

/** Everything that a verdict is made of. */
export interface Evidence {
  readonly agent: string
  readonly isServer: boolean
  readonly quick: boolean
  readonly started: Date
  readonly duration: number
  readonly request: string
  readonly response: string
  readonly log: readonly LogLine[]
}

/** The verdict on a case whose handshake was done. */
export function grade(testCase: Case, outcome: Outcome, record: CloseRecord, evidence: Evidence): CaseResult {
  const [behaviorClose, resultClose] = gradeClose(testCase, record, evidence.isServer)
  const decisive =
    testCase.kind === 'scripted' &&
    ((testCase.codeDecides && behaviorClose === 'WRONG CODE') ||
      (testCase.sideDecides && testCase.close.closedByMe !== record.closedByMe))
  const informational = testCase.kind === 'scripted' && testCase.informational
  return {
    ...common(testCase, evidence),
    behavior: decisive ? 'FAILED' : outcome.behavior,
    result: decisive ? resultClose : outcome.result,
    behaviorClose: informational ? 'INFORMATIONAL' : behaviorClose,
    resultClose,
    received: outcome.received.map(describeEvent),
    ...recorded(record),
  }
}

function recorded(record: CloseRecord): Partial<CaseResult> {
  return {
    closedByMe: record.closedByMe,
    failedByMe: record.failedByMe,
    droppedByMe: record.droppedByMe,
    wasClean: record.wasClean,
    wasNotCleanReason: record.reason ?? null,
    wasServerConnectionDropTimeout: record.dropTimedOut,
    wasCloseHandshakeTimeout: record.closeTimedOut,
    localCloseCode: record.localCode ?? null,
    remoteCloseCode: record.remoteCode ?? null,
    remoteCloseReason: record.remoteReason ?? null,
  }
}

/** The verdict on a case of the second set, which has one: how the connection ends is part of it. */
export function gradeProbe(
  probeCase: ProbeCase,
  outcome: Outcome,
  record: CloseRecord | undefined,
  evidence: Evidence
): CaseResult {
  const { behavior, result, received } = outcome
  const behaviorClose = behavior === 'FAILED' || behavior === 'INFORMATIONAL' ? behavior : 'OK'
  return {
    ...common(probeCase, evidence),
    ...(record !== undefined && recorded(record)),
    behavior,
    result,
    behaviorClose,
    received: received.map(describeEvent),
  }
}

/** The verdict where there was no connection. */
export function gradeFailedHandshake(testCase: Case, sentence: string, late: boolean, evidence: Evidence): CaseResult {
  return {
    ...common(testCase, evidence),
    behavior: 'FAILED',
    behaviorClose: 'FAILED',
    result: sentence,
    resultClose: 'There was no connection to close.',
    wasOpenHandshakeTimeout: late,
  }
}

/** Whether a case went wrong: in what came, or in how the connection ended. */
export function isFailed({ behavior, behaviorClose }: Pick<CaseResult, 'behavior' | 'behaviorClose'>): boolean {
  return behavior === 'FAILED' || !(behaviorClose === 'OK' || behaviorClose === 'INFORMATIONAL')
}

function gradeClose({ close }: Case, record: CloseRecord, isServer: boolean): [CloseBehavior, string] {
  const { remoteCode } = record
  if (record.closedByMe !== close.closedByMe) {
    return [
      'FAILED',
      `The ${record.closedByMe ? 'tester' : 'peer'} closed the connection, and the other side should have.`,
    ]
  }
  if (close.clean && !record.wasClean) return ['UNCLEAN', record.reason ?? 'The connection did not end cleanly.']
  if (remoteCode !== undefined && !close.codes.includes(remoteCode)) {
    return [
      'WRONG CODE',
      `The close code was ${remoteCode}, and should have been ${close.codes.join(' or ')}, or none.`,
    ]
  }
  if (!isServer && record.droppedByMe)
    return ['FAILED BY CLIENT', 'The tester had to drop TCP, which is for the server to do.']
  return ['OK', 'The connection ended as it should.']
}

/** What a result has whatever happened, and the rest as it is where nothing happened. */
function common(testCase: Case, evidence: Evidence): CaseResult {
  const { close } = testCase
  return {
    id: testCase.id,
    agent: evidence.agent,
    description: testCase.sends,
    expectation: testCase.expects,
    behavior: 'FAILED',
    behaviorClose: 'FAILED',
    result: '',
    resultClose: '',
    started: evidence.started.toISOString(),
    duration: Math.round(evidence.duration),
    quick: evidence.quick,
    expected: expectedOf(testCase),
    received: [],
    expectedClose: { closedByMe: close.closedByMe, closeCode: close.codes, requireClean: close.clean },
    isServer: evidence.isServer,
    closedByMe: false,
    failedByMe: false,
    droppedByMe: false,
    wasClean: false,
    wasNotCleanReason: null,
    wasServerConnectionDropTimeout: false,
    wasOpenHandshakeTimeout: false,
    wasCloseHandshakeTimeout: false,
    localCloseCode: null,
    remoteCloseCode: null,
    remoteCloseReason: null,
    httpRequest: evidence.request,
    httpResponse: evidence.response,
    wirelog: evidence.log,
  }
}

function expectedOf(testCase: Case): Record<string, string[]> {
  if (testCase.kind === 'scripted') return describeExpected(testCase.events)
  return testCase.kind === 'probe' ? describeAllowed(testCase.allowed) : {}
}

function describeAllowed(allowed: readonly Allowed[]): Record<string, string[]> {
  const lists: Record<string, string[]> = {}
  for (const { verdict, ending, codes, header, events } of allowed) {
    const how = {
      refuses: `the handshake is refused${listed(codes)}${header === undefined ? '' : ` and a header ${header}`}`,
      closes: `the peer closes${listed(codes)}`,
      answers: 'then a clean close',
      waits: 'the peer waits',
    }
    lists[verdict] = [...(lists[verdict] ?? []), [...describeEvents(events ?? []), how[ending]].join(', ')]
  }
  return lists
}

function listed(codes: readonly number[] | undefined): string {
  return codes === undefined ? '' : ` with ${codes.join(' or ')}`
}

function describeEvents(events: readonly CaseEvent[]): string[] {
  return events.map(event =>
    describeEvent(event.is === 'timeout' ? event : { ...event, payload: toBuffer(event.payload) })
  )
}

function describeExpected(events: Readonly<Record<string, readonly CaseEvent[]>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(events).map(([verdict, list]) => [verdict, describeEvents(list)]))
}

function describeEvent(event: RecordedEvent): string {
  if (event.is === 'timeout') return `a second passed (${event.tag})`
  const { length } = event.payload
  const kind = event.is === 'pong' ? 'pong' : event.opcode === Opcode.text ? 'text' : 'binary'
  return length === 0 ? `${kind}, empty` : `${kind}, ${describeSize(length)}: ${describeBytes(event.payload, length)}`
}
