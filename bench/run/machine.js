/** What the figures were taken on: they mean nothing without it. */
import { spawnSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { runs } from './native.js'
import { UsageError } from './arguments.js'

const GIGABYTE = 2 ** 30

/** @param {string} node path of the Node.js under test @param {import('./pinning.js').Pinning | undefined} pinning */
export function describeMachine(node, pinning) {
  const all = cpus()
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cpus: all.length,
    memory: `${Math.round(totalmem() / GIGABYTE)} GiB`,
    system: `${type()} ${release()}`,
    node: versionOf(node),
    loadNode: process.version,
    pinning: pinning ?? null,
    busy: loadavg()[0],
  }
}

/**
 * @param {string | undefined} wanted a path or a version
 * @returns {string} the path of that Node.js
 * @throws {UsageError}
 */
export function findNode(wanted) {
  if (wanted === undefined) return process.execPath
  if (!/^\d+(\.\d+){0,2}$/.test(wanted)) {
    if (!runs(wanted, ['--version'])) throw new UsageError(`--node: ${JSON.stringify(wanted)} is no program that runs.`)
    return wanted
  }
  const { status, stdout } = spawnSync('npm', ['exec', '--yes', `--package=node@${wanted}`, '--', 'node', '-p', 'process.execPath'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new UsageError(`--node: npm has no Node.js ${wanted} for this machine.`)
  return stdout.trim()
}

function versionOf(node) {
  return node === process.execPath ? process.version : spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
}
