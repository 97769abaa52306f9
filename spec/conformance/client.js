// @ts-check
/** Our own client through all cases of a server: `node spec/conformance/client.js ws://host:port agent`. */
import { connect } from '../../dist/index.js'

const [url, agent] = process.argv.slice(2)

const count = Number(await ask('/getCaseCount'))
for (let number = 1; number <= count; number++) await echo(`/runCase?case=${number}&agent=${encodeURIComponent(agent)}`)
await echo(`/updateReports?agent=${encodeURIComponent(agent)}`)

/**
 * Sends everything back until the connection is over.
 *
 * @param {string} path
 */
async function echo(path) {
  await new Promise(resolve => {
    connect(url + path, {
      message: (socket, data) => socket.send(data),
      close: resolve,
      // What the cases do wrong comes here too; the server has its own opinion of how it was dealt with.
      error: () => {},
      // Nor is a handshake that the client fails the end of the run: some cases are about that.
    }).catch(resolve)
  })
}

/**
 * The one message that a path answers with.
 *
 * @param {string} path
 * @returns {Promise<string>}
 */
async function ask(path) {
  const socket = await connect(url + path)
  for await (const message of socket) return String(message)
  throw new Error(`${path} said nothing`)
}
