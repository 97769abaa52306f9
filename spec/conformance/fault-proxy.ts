/**
 * Stands between the tester and our own server or client, and mends what the tester does wrong, or breaks what it does
 * right, before the other one gets it: to the tester the two together are a peer that breaks one rule and no other.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** One frame from the tester, unmasked. */
export interface ProxiedFrame {
  readonly fin: boolean
  readonly rsv: number
  readonly opcode: number
  readonly masked: boolean
  /** The frame was masked as it must be, or not masked as it must not be. */
  readonly rightlyMasked: boolean
  /** Octets behind the second one that the length took. */
  readonly form: number
  readonly length: bigint
  readonly payload: Buffer
}

export interface FaultyConnection {
  /** To the peer under test, and to the tester. */
  readonly peer: Socket
  readonly tester: Socket
  /** Whether a message of several frames is under way. */
  inMessage: boolean
  count: number
  /** No new connections from now on. */
  stopServing(): void
}

export interface Fault {
  /** What the tester's head becomes: the request, or the answer. */
  readonly head?: (head: string) => string
  /** What the other one's head becomes, where it goes back to the tester. */
  readonly reply?: (head: string) => string
  /** What a frame becomes: itself changed, or nothing. */
  readonly frame?: (frame: ProxiedFrame, connection: FaultyConnection) => Partial<ProxiedFrame> | undefined
  /** What a packet behind the handshake becomes. */
  readonly packet?: (bytes: Buffer) => Buffer
  /** Bytes in the packet of the head are lost. */
  readonly losesEarly?: boolean
  /** That the tester ends or resets its side is kept back. */
  readonly ignoresEnd?: boolean
  /** When the tester resets its side, that is the end of the server. */
  readonly diesOfReset?: boolean
}

export interface FaultProxy {
  readonly port: number
  close(): Promise<void>
}

/** @param target the port behind it: of the server under test, or of the tester that serves a client */
export async function faultProxy(target: number, fault: Fault, tests: 'server' | 'client'): Promise<FaultProxy> {
  const sockets = new Set<Socket>()
  const die = (): void => {
    server.close()
    // The next connection may be there already.
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer({ noDelay: true, allowHalfOpen: true }, one => {
    const other = connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    for (const socket of [one, other]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
    const [tester, peer] = tests === 'server' ? [one, other] : [other, one]
    join(tester, peer, fault, tests === 'server', () => server.close())
    if (fault.diesOfReset === true) onReset(one, die)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

/** Node tells of a reset right behind data as of an end; whoever sent a request and nothing more has just gone. */
function onReset(socket: Socket, act: () => void): void {
  let packets = 0
  socket.on('data', () => packets++)
  socket.on('error', act)
  socket.on('end', () => packets > 1 && act())
}

function join(tester: Socket, peer: Socket, fault: Fault, toServer: boolean, stopServing: () => void): void {
  const connection: FaultyConnection = { peer, tester, inMessage: false, count: 0, stopServing }
  const forward = rewriter(fault, connection, toServer)
  tester.on('data', forward)
  peer.on(
    'data',
    headRewriter(fault.reply, bytes => write(tester, bytes))
  )
  for (const [from, to] of [
    [tester, peer],
    [peer, tester],
  ] as const) {
    const isKept = from === tester && fault.ignoresEnd === true
    from.on('end', () => void (isKept || to.end()))
    from.on('error', () => void (isKept || (to.connecting ? to.destroy() : to.resetAndDestroy())))
    from.on('close', () => void (isKept || to.destroySoon()))
  }
}

function write(socket: Socket, bytes: Buffer): void {
  if (bytes.length > 0 && socket.writable) socket.write(bytes)
}

/** Changes the head and hands the rest on. */
function headRewriter(change: Fault['head'], next: (bytes: Buffer) => void, rest = next): (bytes: Buffer) => void {
  let waiting: Buffer | undefined = Buffer.alloc(0)
  return bytes => {
    if (waiting === undefined) {
      next(bytes)
      return
    }
    waiting = Buffer.concat([waiting, bytes])
    const end = waiting.indexOf('\r\n\r\n') + 4
    if (end < 4) return
    const text = waiting.toString('latin1', 0, end)
    const behind = waiting.subarray(end)
    waiting = undefined
    rest(Buffer.from(change?.(text) ?? text, 'latin1'))
    next(behind)
  }
}

function rewriter(fault: Fault, connection: FaultyConnection, toServer: boolean): (bytes: Buffer) => void {
  const { peer } = connection
  const { frame: change, packet } = fault
  let isHeadDone = false
  let unread: Buffer = Buffer.alloc(0)
  let isRaw = change === undefined
  const frames = (bytes: Buffer): void => {
    // The packet of the head is handed on in the same call, right behind the head.
    const isEarly = !isHeadDone
    isHeadDone = true
    if (isEarly && fault.losesEarly === true) return
    if (change === undefined || isRaw) {
      write(peer, packet?.(bytes) ?? bytes)
      return
    }
    unread = Buffer.concat([unread, bytes])
    const out: Buffer[] = []
    for (let next = readFrame(unread, toServer); next !== undefined; next = readFrame(unread, toServer)) {
      const { frame, end, isWhole } = next
      const changed = change(frame, connection)
      unread = unread.subarray(end)
      if (changed === undefined) continue
      if ((frame.opcode & 8) === 0) connection.inMessage = !frame.fin
      out.push(frameBytes({ ...frame, ...changed }, toServer, isWhole))
      isRaw = !isWhole
      if (isRaw) break
    }
    write(peer, Buffer.concat(out))
  }
  return headRewriter(fault.head, frames, bytes => write(peer, bytes))
}

const MOST_BUFFERED = 2n ** 22n

/** A frame that is whole, or the header of one so long that it never will be. */
function readFrame(
  bytes: Buffer,
  toServer: boolean
): { frame: ProxiedFrame; end: number; isWhole: boolean } | undefined {
  if (bytes.length < 2) return undefined
  const masked = (bytes[1] & 0x80) !== 0
  const second = bytes[1] & 0x7f
  const form = second === 127 ? 8 : second === 126 ? 2 : 0
  const start = 2 + form + (masked ? 4 : 0)
  if (bytes.length < start) return undefined
  const length = form === 8 ? bytes.readBigUInt64BE(2) : BigInt(form === 2 ? bytes.readUInt16BE(2) : second)
  const isWhole = length <= MOST_BUFFERED
  const end = isWhole ? start + Number(length) : bytes.length
  if (isWhole && bytes.length < end) return undefined
  const payload = Buffer.from(bytes.subarray(start, end))
  if (masked) for (let at = 0; at < payload.length; at++) payload[at] ^= bytes[start - 4 + (at & 3)]
  const frame = {
    fin: (bytes[0] & 0x80) !== 0,
    rsv: (bytes[0] >> 4) & 7,
    opcode: bytes[0] & 15,
    masked,
    rightlyMasked: masked === toServer,
    form,
    length,
    payload,
  }
  return { frame, end, isWhole }
}

/** The frame with as long a length as it had, if that still fits; masked with zeros. */
function frameBytes(frame: ProxiedFrame, toServer: boolean, isWhole: boolean): Buffer {
  const length = isWhole ? BigInt(frame.payload.length) : frame.length
  const shortest = length < 126n ? 0 : length < 65_536n ? 2 : 8
  const form = Math.max(frame.form, shortest)
  const masked = frame.rightlyMasked ? toServer : !toServer
  const head = Buffer.alloc(2 + form + (masked ? 4 : 0))
  head[0] = (frame.fin ? 0x80 : 0) | (frame.rsv << 4) | frame.opcode
  head[1] = (masked ? 0x80 : 0) | (form === 8 ? 127 : form === 2 ? 126 : Number(length))
  if (form === 2) head.writeUInt16BE(Number(length), 2)
  else if (form === 8) head.writeBigUInt64BE(length, 2)
  return Buffer.concat([head, frame.payload])
}
