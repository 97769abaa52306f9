/** Messages of a byte that the application never finishes with: what is noted of each is more than it has of bytes. */
import { Opcode, frame, repeated } from '../harness/wire.js'

/** One less than a connection may have; it would not be read any more, and its end be noticed late. */
const AT_A_TIME = 15

export const pendingBookkeeping = {
  id: 'pending-bookkeeping',
  title: '15 messages of a byte, whose callbacks never settle, on each of 10,000 connections',
  memory: true,
  crowd: true,
  exhausts: true,
  async run(attacker) {
    const one = frame(Opcode.text, 'a')
    const messages = repeated(one, AT_A_TIME * one.length)
    const peers = await attacker.openMany(attacker.scale(10_000, 5000), { path: '/hang' })
    for (const peer of peers) peer.write(messages)
    await attacker.wait(4, 1)
  },
}
