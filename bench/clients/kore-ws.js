/** kore-ws' `connect`, with a callback for messages. */
import { announce, receiver, url } from './shared.js'

const { connect } = await import(process.env.KORE_WS_INDEX)
if (connect === undefined) throw new Error('this build of kore-ws has no client')

const receive = receiver(text => void socket.send(text))
const socket = await connect(url, { message: (_, text) => receive(text) })
announce()
