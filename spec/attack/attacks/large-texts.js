/** Large texts, all of which become whole at the same moment: each has to be decoded. */
import { Opcode, frame } from '../harness/wire.js'

const SIZE = 16 * 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, 'a')
const EURO = Buffer.from('€')
const HEADER = frame(Opcode.text, EURO, { length: SIZE })
/** Behind the first character, all but the last byte, in pieces and a rest. */
const PIECES = Math.floor((SIZE - EURO.length) / PIECE.length)
const REST = PIECE.subarray(0, SIZE - EURO.length - PIECES * PIECE.length - 1)
const ROUNDS = 10

const largeTextsOf = options => ({
  ...options,
  async run(attacker) {
    const until = attacker.until(15, 4)
    const peers = await attacker.openMany(40, { path: '/sink' })
    for (let round = 0; round < ROUNDS && performance.now() < until; round++) {
      // A round that has been begun is done.
      const whole = attacker.until(30, 15)
      await Promise.all(
        peers.map(async peer => {
          peer.write(HEADER)
          await peer.flood(PIECE, { until: whole, times: PIECES })
          peer.write(REST)
        })
      )
      await attacker.wait(1, 1)
      for (const peer of peers) peer.write('a')
      attacker.count('texts', peers.filter(peer => peer.open).length)
      await attacker.wait(1, 1)
    }
  },
})

export const largeTexts = largeTextsOf({
  id: 'large-texts',
  title: '40 texts of 16 MiB, a euro sign in each, that are whole at the same moment, again and again (heap 4,096 MiB)',
  // With less, the budget of memory lets go of most of them before they are whole.
  heap: 4096,
})

export const largeTextsInLittle = largeTextsOf({
  id: 'large-texts-in-little',
  title: 'The same with the usual heap',
  memory: true,
})
