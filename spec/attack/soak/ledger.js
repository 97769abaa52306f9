/** Both sides' accounts of each connection, laid beside each other: what was sent has come, or the loss was told. */

/** No closing handshake: what was under way is lost with the connection, and both sides are told so. */
const ABNORMAL = 1006

export class Ledger {
  /** Connections of which one side has told. @type {Map<number, { side: string, record: any }>} */
  #half = new Map()
  /** @type {string[]} */
  faults = []
  counts = { connections: 0, clean: 0, dropped: 0, sent: 0, received: 0, lost: 0 }
  /** How often the server was told each reason for a connection that was dropped. @type {Map<string, number>} */
  reasons = new Map()
  /** Handshakes that came to nothing, as the client was told. @type {Map<string, number>} */
  failures = new Map()

  /** @param {'server' | 'client'} side @param {any[]} records */
  add(side, records) {
    for (const record of records) {
      if (record.failed !== undefined) {
        // The server may have thought it open: then all it sent is lost.
        count(this.failures, record.failed)
        Object.assign(record, { code: ABNORMAL, sent: 0, received: 0 })
      }
      const other = this.#half.get(record.id)
      if (other === undefined) {
        this.#half.set(record.id, { side, record })
      } else if (other.side === side) {
        this.faults.push(`connection ${record.id} was closed twice on the ${side}`)
      } else {
        this.#half.delete(record.id)
        if (side === 'server') this.#settle(record, other.record)
        else this.#settle(other.record, record)
      }
    }
  }

  /** Connections that one side knows to be over and the other does not. */
  get open() {
    let open = 0
    for (const { record } of this.#half.values()) if (record.failed === undefined) open++
    return open
  }

  #settle(server, client) {
    const { counts } = this
    counts.connections++
    const abnormal = server.code === ABNORMAL || client.code === ABNORMAL
    if (abnormal) counts.dropped++
    else counts.clean++
    if (abnormal) count(this.reasons, server.reason || 'ended by the peer')
    for (const [from, to, direction] of [
      [server.sent, client.received, 'to'],
      [client.sent, server.received, 'from'],
    ]) {
      counts.sent += from
      counts.received += to
      counts.lost += from - to
      if (to > from || (to < from && !abnormal))
        this.faults.push(
          `${from} messages ${direction} ${client.kind} ${client.id} were accepted, ${to} came; ended with ${server.code} ${server.reason} and ${client.code} ${client.reason}`
        )
    }
  }
}

function count(counts, key) {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
