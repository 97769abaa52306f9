/** The answers of an HTTP server that are not out yet: what comes behind them on the same socket waits for them. */
import type { Server as HttpServer, ServerResponse } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'

const watched = new WeakSet<HttpServer | HttpsServer>()
/** By socket, in the order of their requests. */
const unanswered = new WeakMap<Duplex, Set<ServerResponse>>()

/** From now on the answers of this server are known to `afterAnswers`. */
export function watchAnswers(server: HttpServer | HttpsServer): void {
  if (watched.has(server)) return
  watched.add(server)
  server.prependListener('request', ({ socket }, response) => {
    const answers = unanswered.get(socket) ?? new Set()
    unanswered.set(socket, answers)
    answers.add(response)
    response.on('close', () => {
      answers.delete(response)
      if (answers.size === 0) unanswered.delete(socket)
    })
  })
}

/**
 * Calls `next` when all requests before the one at hand are answered, at once where none is waiting (RFC 9112, section
 * 9.3.2); never, where the socket is gone by then.
 */
export function afterAnswers(socket: Duplex, next: () => void): void {
  const answers = unanswered.get(socket)
  if (answers === undefined) {
    next()
    return
  }
  // Node has taken its own listeners from the socket.
  const drain = (): void => {
    for (const answer of answers) answer.emit('drain')
  }
  socket.on('drain', drain)
  socket.on('error', ignore)
  let left = answers.size
  for (const answer of answers) {
    answer.on('close', () => {
      if (--left > 0) return
      socket.off('drain', drain)
      socket.off('error', ignore)
      // Node ends the socket behind an answer that says so, and does that behind the event.
      process.nextTick(goOn, socket, next)
    })
  }
}

function goOn(socket: Duplex, next: () => void): void {
  socket.on('error', ignore)
  if (socket.destroyed || !socket.writable) {
    socket.destroy()
    return
  }
  socket.off('error', ignore)
  next()
}

function ignore(): void {}
