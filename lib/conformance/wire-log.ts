/** What went over the wire in a case: a line per frame, or row of frames that are alike; the first and the last ones. */
import { isUtf8 } from 'node:buffer'
import { Opcode } from '../protocol/opcode.ts'
import type { FrameHead } from './wire/frame-writer.ts'

/** Who did it: the tester, the peer, or a clock. */
export type Side = 'tester' | 'peer' | 'note'

export interface LogLine {
  /** Milliseconds since the connection was opened. */
  readonly at: number
  readonly side: Side
  readonly line: string
}

/** Lines kept from the start and from the end. */
const FIRST = 40
const LAST = 20
/** Bytes of a payload that a line shows. */
const EXCERPT = 32

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(Opcode).map(([name, opcode]) => [opcode, name])
)

interface Entry {
  readonly at: number
  /** How often the same came in a row. */
  times: number
  readonly side: Side
  readonly head: FrameHead | undefined
  /** The start of the payload; of a note, its text. */
  readonly excerpt: Buffer
  readonly length: number
  readonly remark: string
}

export class WireLog {
  readonly #started = performance.now()
  readonly #first: Entry[] = []
  readonly #last: Entry[] = []
  #count = 0
  #newest: Entry | undefined

  /** @param remark what is special about how it was sent */
  frame(side: Side, head: FrameHead, payload: Buffer, remark = ''): void {
    // A copy: the payload itself may be megabytes.
    const excerpt = Buffer.from(payload.subarray(0, EXCERPT))
    this.#add({ at: performance.now(), times: 1, side, head, excerpt, length: payload.length, remark })
  }

  note(side: Side, text: string): void {
    this.#add({
      at: performance.now(),
      times: 1,
      side,
      head: undefined,
      excerpt: Buffer.from(text),
      length: 0,
      remark: '',
    })
  }

  lines(): LogLine[] {
    const left = this.#count - this.#first.length - this.#last.length
    const last = this.#inOrder()
    const gap =
      left > 0 ? [{ at: this.#since(last[0].at), side: 'note' as const, line: `… ${amount(left)} more …` }] : []
    return [...this.#first.map(entry => this.#describe(entry)), ...gap, ...last.map(entry => this.#describe(entry))]
  }

  #add(entry: Entry): void {
    if (this.#newest !== undefined && isSame(this.#newest, entry)) {
      this.#newest.times++
      return
    }
    this.#newest = entry
    this.#count++
    if (this.#first.length < FIRST) this.#first.push(entry)
    else if (this.#last.length < LAST) this.#last.push(entry)
    else this.#last[(this.#count - FIRST - 1) % LAST] = entry
  }

  /** The ring, unrolled. */
  #inOrder(): Entry[] {
    const next = Math.max(0, this.#count - FIRST) % LAST
    return this.#last.length < LAST ? this.#last : [...this.#last.slice(next), ...this.#last.slice(0, next)]
  }

  #since(time: number): number {
    return Math.round((time - this.#started) * 10) / 10
  }

  #describe({ at, times, side, head, excerpt, length, remark }: Entry): LogLine {
    const what = head === undefined ? excerpt.toString() : describeFrame(head, excerpt, length)
    const more = [remark && ` (${remark})`, times > 1 && `, ${amount(times)} times`].filter(Boolean)
    return { at: this.#since(at), side, line: what + more.join('') }
  }
}

function isSame(one: Entry, other: Entry): boolean {
  return (
    one.side === other.side &&
    one.length === other.length &&
    one.remark === other.remark &&
    one.head?.opcode === other.head?.opcode &&
    one.head?.fin === other.head?.fin &&
    one.head?.rsv === other.head?.rsv &&
    one.excerpt.equals(other.excerpt)
  )
}

/** `text, fin, 13 bytes: "Hello, world!"` */
export function describeFrame({ opcode, fin, rsv }: FrameHead, excerpt: Buffer, length: number): string {
  const bits = [rsv & 4 && 'RSV1', rsv & 2 && 'RSV2', rsv & 1 && 'RSV3'].filter(Boolean)
  const flags = [NAMES[opcode] ?? `opcode ${opcode}`, fin ? 'fin' : 'more to come', ...bits].join(', ')
  if (length === 0) return `${flags}, empty`
  if (opcode !== Opcode.close || length < 2)
    return `${flags}, ${describeSize(length)}: ${describeBytes(excerpt, length)}`
  return `${flags}, ${excerpt.readUInt16BE()} ${describeBytes(excerpt.subarray(2), length - 2)}`.trimEnd()
}

/** `1,234 bytes` */
export function describeSize(length: number): string {
  return `${amount(length)} ${length === 1 ? 'byte' : 'bytes'}`
}

function amount(count: number): string {
  return count.toLocaleString('en-US')
}

/** Text in quotes where it is text, hex otherwise; cut after the excerpt. */
export function describeBytes(excerpt: Buffer, length: number): string {
  if (length === 0) return ''
  const shown = excerpt.subarray(0, EXCERPT)
  const isText = isUtf8(shown) && !/[\p{Cc}\p{Cn}\p{Co}]/u.test(shown.toString())
  const text = isText ? JSON.stringify(shown.toString()) : (shown.toString('hex').match(/../g) ?? []).join(' ')
  return shown.length < length ? `${text} …` : text
}
