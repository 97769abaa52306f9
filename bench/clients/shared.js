/** What the clients that are measured share, on Node, Bun and Deno alike: what they do with a text that comes. */

const [mode, url, batch] = process.argv.slice(2)

export { url }

/**
 * 'client-echo' sends it back; 'client-receive' counts, and answers every batch with how many messages came, of how many
 * characters, and the last of them: what only somebody who got them all can know.
 *
 * @param {(text: string) => void} send
 * @returns {(text: string) => void}
 */
export function receiver(send) {
  if (mode === 'client-echo') return send
  const most = Number(batch)
  let count = 0
  let characters = 0
  return text => {
    count++
    characters += text.length
    if (count < most) return
    send(`${count} ${characters} ${text}`)
    count = 0
    characters = 0
  }
}

/** Tells the benchmark that this client is ready. */
export function announce() {
  console.log(`connected to ${url.replace('ws:', 'http:')}`)
}
