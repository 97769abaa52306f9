/** A process that waits for connections to end must not end itself before: a socket that is not read keeps none alive. */

const LONG = 2 ** 30

/** As `work`; until it has settled the process does not end by itself. */
export async function stayAlive<Value>(work: Promise<Value>): Promise<Value> {
  const timer = setInterval(() => {}, LONG)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
