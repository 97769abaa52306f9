/** The process that measures parsers and serializers alone. */
import { contenders } from './contenders.js'
import { measureCodecs } from './measure.js'

const all = contenders()

process.on('message', async job => {
  try {
    process.send({ result: measureCodecs(job, await all) })
  } catch (error) {
    process.send({ error: error.message })
  }
})
process.on('disconnect', () => process.exit())
