/** Parsers and serializers alone, in turns: frames a second of one process. */
import { BINARY, maskedFrame, plainFrame, slotPayload, TEXT } from '../load/frames.js'
import { READ_SIZE } from './contenders.js'

const WARM_UP_SHARE = 0.5

/** @typedef {{ what: 'parse' | 'serialize', size: number, binary: boolean, rounds: number, seconds: number }} Job */

/**
 * @param {Job} job @param {readonly import('./contenders.js').Contender[]} all
 * @returns {Record<string, import('../run/statistics.js').Cell>}
 */
export function measureCodecs({ what, size, binary, rounds, seconds }, all) {
  const passes = all.map(contender => ({ name: contender.name, pass: (what === 'parse' ? parsing : serializing)(contender, size, binary) }))
  const cells = Object.fromEntries(passes.map(({ name }) => [name, { rounds: [] }]))
  for (const { pass } of passes) repeat(pass, seconds * WARM_UP_SHARE)
  for (let round = 0; round < rounds; round++) {
    for (const { name, pass } of passes) cells[name].rounds.push(repeat(pass, seconds))
  }
  return cells
}

function repeat(pass, seconds) {
  const usage = process.cpuUsage()
  const from = performance.now()
  let messages = 0
  do messages += pass()
  while (performance.now() - from < seconds * 1000)
  const { user, system } = process.cpuUsage(usage)
  return { messages, seconds: (performance.now() - from) / 1000, cpu: (user + system) / 1e6 }
}

/**
 * As many frames as fit into a read, or one in several reads. Unmasking spoils the input, so each read is copied anew to
 * where the contender's server has it.
 */
function parsing(contender, size, binary) {
  const opcode = binary ? BINARY : TEXT
  const count = Math.max(1, Math.floor(READ_SIZE / (size + 8)))
  const payloads = Array.from({ length: count }, (_, slot) => slotPayload(slot, size, opcode))
  const stream = Buffer.concat(payloads.map(payload => maskedFrame(opcode, payload)))
  const reads = []
  for (let at = 0; at < stream.length; at += READ_SIZE) {
    const read = stream.subarray(at, at + READ_SIZE)
    reads.push({ read, memory: contender.readMemory(read.length) })
  }

  let seen = 0
  let check = true
  const parse = contender.parser((bytes, start, end) => {
    if (check && bytes.compare(payloads[seen], 0, size, start, end) !== 0) throw new Error(`${contender.name} parses wrongly`)
    seen++
  })
  const pass = () => {
    seen = 0
    for (const { read, memory } of reads) {
      read.copy(memory)
      parse(memory)
    }
    if (seen !== count) throw new Error(`${contender.name} found ${seen} frames of ${count}`)
    return count
  }
  pass()
  check = false
  return pass
}

function serializing(contender, size, binary) {
  const opcode = binary ? BINARY : TEXT
  const count = Math.max(1, Math.floor(READ_SIZE / size))
  const payloads = Array.from({ length: count }, (_, slot) => slotPayload(slot, size, opcode))
  const messages = binary ? payloads : payloads.map(payload => payload.toString('latin1'))
  const bytes = count * plainFrame(opcode, payloads[0]).length
  const writer = contender.serializer(binary)
  return () => {
    const before = writer.bytes()
    for (const message of messages) writer.write(message)
    if (writer.bytes() - before !== bytes) throw new Error(`${contender.name} wrote ${writer.bytes() - before} bytes of ${bytes}`)
    return count
  }
}
