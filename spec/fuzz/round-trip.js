/** Random messages from our Endpoint to the Receiver of `ws`, and from its Sender to ours: they come as they went. */
import { messageEvent } from './model.js'
import { variantsFor } from './ours.js'
import { randomCuts, randomSize, randomText } from './streams.js'
import { extensionFor, PerMessageDeflate, runTheirs, Sender } from './theirs.js'
import { BINARY, TEXT } from './frames.js'

const LIMIT = 16 * 1024 * 1024

function randomMessages(random) {
  return Array.from({ length: 1 + random.below(6) }, () => {
    const opcode = random.pick([TEXT, BINARY])
    const size = randomSize(random)
    const payload = opcode === TEXT || random.oneIn(2) ? randomText(random, size) : random.bytes(size)
    return {
      opcode,
      payload,
      compress: random.pick([undefined, true, false]),
      lent: random.oneIn(2),
      asString: random.oneIn(2),
    }
  })
}

const other = role => (role === 'server' ? 'client' : 'server')

/** @returns {Promise<object | undefined>} what did not come as it went */
async function oursToTheirs(random, role, deflate, messages, driver) {
  const engine = random.pick(['fast', 'portable'])
  const output = new driver.lib.BufferedOutput()
  const compression = driver.compressionFor(role, deflate, engine, random.pick([0, 100, 1024]))
  let written
  const sink = { onBusy() {}, onClose() {}, onOutput: () => written?.() }
  const endpoint = new driver.lib.Endpoint(sink, output, { role, compression })
  for (const { opcode, payload, compress, lent, asString } of messages) {
    const data = opcode === TEXT && asString ? payload.toString() : Buffer.from(payload)
    endpoint.send(opcode, data, lent, compress)
    if (lent && typeof data !== 'string') data.fill(0xaa)
  }
  while (endpoint.sendsLater) await new Promise(resolve => (written = resolve))
  const stream = output.take()
  if (output.promised !== 0) return { what: `${output.promised} bytes are still promised`, stream }
  const { events, end } = await runTheirs(
    { role: other(role), limit: LIMIT, deflate, stream },
    randomCuts(random, stream.length)
  )
  return end.type === 'open' && isEqual(events, messages)
    ? undefined
    : { what: 'ws reads something else', stream, events, end }
}

async function theirsToOurs(random, role, deflate, messages, driver) {
  const isServer = role === 'server'
  const chunks = []
  const socket = {
    cork() {},
    uncork() {},
    destroyed: false,
    write: (chunk, callback) => (chunks.push(Buffer.from(chunk)), callback?.()),
  }
  const extension = deflate === undefined ? undefined : extensionFor(isServer, deflate)
  if (extension !== undefined) extension.params = ownParameters(isServer, deflate)
  const sender = new Sender(socket, extension === undefined ? {} : { [PerMessageDeflate.extensionName]: extension })
  for (const { opcode, payload, compress } of messages) {
    const cut = random.oneIn(2) ? payload.length : random.below(payload.length + 1)
    const options = {
      binary: opcode === BINARY,
      mask: !isServer,
      compress: extension !== undefined && compress !== false,
    }
    if (cut < payload.length) await send(sender, Buffer.from(payload.subarray(0, cut)), { ...options, fin: false })
    await send(sender, Buffer.from(cut < payload.length ? payload.subarray(cut) : payload), { ...options, fin: true })
  }
  extension?.cleanup()
  const stream = Buffer.concat(chunks)
  const settings = { role: other(role), limit: LIMIT, deflate, stream }
  const variants = variantsFor(randomCuts(random, stream.length), random.below(2 ** 31))
  const variant = random.pick(variants.filter(({ failAt }) => failAt === undefined))
  const { events, end, broken } = await driver.runOurs(settings, variant)
  const good = end.type === 'open' && broken.length === 0 && isEqual(events, messages)
  return good ? undefined : { what: `ours reads something else (${variant.name}) ${broken}`, stream, events, end }
}

function ownParameters(isServer, { takeover, windowBits }) {
  const sends = isServer ? 'server' : 'client'
  // zlib makes 9 of 8 in a raw stream and does not say so; ours refuses to compress then, ws does not.
  return {
    [`${sends}_max_window_bits`]: Math.max(windowBits, 9),
    [`${sends}_no_context_takeover`]: takeover ? undefined : true,
  }
}

function send(sender, data, options) {
  return new Promise(resolve => sender.send(data, options, resolve))
}

function isEqual(events, messages) {
  return (
    events.length === messages.length &&
    messages.every(({ opcode, payload }, i) => events[i] === messageEvent(opcode, payload))
  )
}

/** One round in either direction. */
export async function roundTrip(random, driver) {
  const role = random.pick(['server', 'client'])
  const windowBits = random.oneIn(2) ? 15 : 9 + random.below(7)
  const deflate = random.oneIn(3) ? undefined : { takeover: random.oneIn(2), windowBits, level: 1 + random.below(9) }
  const direction = random.oneIn(2) ? oursToTheirs : theirsToOurs
  const wrong = await direction(random, role, deflate, randomMessages(random), driver)
  return (
    wrong && {
      ...wrong,
      what: `${direction.name}, ${role} sends: ${wrong.what}`,
      settings: { role: other(role), limit: LIMIT, deflate },
    }
  )
}
