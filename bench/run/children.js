/** All processes that the benchmark has started: none outlives it. */

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()

/** @template {import('node:child_process').ChildProcess} Child @param {Child} child started as leader of its own group */
export function track(child) {
  children.add(child)
  // What the leader started may live on, so the group is ended even when the leader is gone already.
  child.once('exit', () => kill(child))
  return child
}

export function kill(child) {
  if (!children.delete(child) || child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // All of it is gone.
  }
}

export function killAll() {
  for (const child of children) kill(child)
}
