/** Compressed messages too large to be inflated at once, so many that an honest one has to stand in line. */
import { Random } from '../../fuzz/random.js'
import { deflate, EXTENSION } from '../harness/deflate.js'
import { Opcode, frame } from '../harness/wire.js'

const BOMB = frame(Opcode.binary, deflate(Buffer.alloc(16 * 1024 * 1024 - 128 * 1024, 'a')), { compressed: true })

/** 60 KB as a log has them: 9 KB of hexadecimal digits, which a compressor makes half as long, each line four times. */
function honest() {
  const random = new Random(1)
  const lines = Array.from({ length: 240 }, () => random.bytes(32).toString('hex'))
  const text = lines.map(line => `${line}\n`.repeat(4)).join('')
  return frame(Opcode.text, deflate(Buffer.from(text)), { compressed: true })
}

export const inflaterQueue = {
  id: 'inflater-queue',
  title: '200 bombs of 16 KB that inflate to 16 MiB, beside messages of 9 KB that inflate to 60',
  compression: true,
  memory: true,
  prober: { word: honest(), headers: [EXTENSION] },
  async run(attacker) {
    const until = attacker.until(12, 4)
    const peers = await attacker.openMany(200, { path: '/sink', headers: [EXTENSION] })
    const taken = await Promise.all(peers.map(peer => peer.flood(BOMB, { until, times: attacker.scale(4, 1) })))
    attacker.count(
      'bombs sent',
      taken.reduce((a, b) => a + b, 0)
    )
    await attacker.moment(until)
  },
}
