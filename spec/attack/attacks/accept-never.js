/** Handshakes whose answer waits for something that never comes, such as a database that is gone. */
import { Opcode, frame, repeated, request } from '../harness/wire.js'

/** More than any server should keep of what comes ahead of the answer. */
const AHEAD = 256 * 1024

export const acceptNever = {
  id: 'accept-never',
  title: '1,000 handshakes that `accept` never answers, each with 256 KiB sent ahead',
  async run(attacker) {
    const ahead = repeated(frame(Opcode.text, 'early'), AHEAD)
    await attacker.crowd(attacker.scale(1000, 300), async () => {
      const peer = await attacker.dial()
      peer.write(request('/never'))
      peer.write(ahead)
    })
    await attacker.wait(14, 2)
  },
}
