import t from 'tap'
import { OWN_MEMORY_FROM } from '../../lib/protocol/message-codec.ts'
import { deflated, compressionOf, MODES } from '../helpers/agreed.ts'

t.test('from 64 KiB on a result is memory of its own: no later call of a codec changes it', async t => {
  t.equal(OWN_MEMORY_FROM, 64 * 1024)
  for (const mode of MODES) {
    const { decompressor } = compressionOf('server', mode)
    const [one, two] = [Buffer.alloc(OWN_MEMORY_FROM, 'a'), Buffer.alloc(OWN_MEMORY_FROM, 'b')]
    const results = [one, two].map(message => {
      const compressed = deflated(message)
      return decompressor.decompress(compressed, 0, compressed.length, OWN_MEMORY_FROM)
    })
    t.ok(results[0]?.equals(one), mode)
    t.ok(results[1]?.equals(two), mode)
    decompressor.close()
  }
})
