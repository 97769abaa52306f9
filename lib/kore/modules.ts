/** Callbacks by name, looked up in loaded modules as Kore looks symbols up. */
import { MisuseError, show } from '../protocol/misuse-error.ts'
import type { Failure } from '../transport/report.ts'

/** A connection's callbacks as Kore names them. */
const KORE_CALLBACKS: ReadonlyMap<string, string> = new Map([['open', 'onconnect'], ['message', 'onmessage']])

type Callable = (...parameters: never[]) => unknown

const modules: object[] = []

/**
 * Adds a module whose functions can be named as callbacks: what `import * as` gives, or any object. Names are looked up
 * in load order, and the first module that has one wins.
 *
 * @throws MisuseError `invalid-argument` for anything that is no object
 */
export function kore_load(module: object): void {
  if (typeof module !== 'object' || module === null) {
    throw new MisuseError('invalid-argument', 'module must be an object whose properties are functions')
  }
  modules.push(module)
}

/** @throws MisuseError `invalid-argument` for what can't be a callback */
export function checkCallback(argument: string, callback: unknown): void {
  if (callback === null || callback === undefined || typeof callback === 'function' || typeof callback === 'string') return
  throw new MisuseError('invalid-argument', `${argument} must be a function, a name or null`)
}

/**
 * The function that a callback argument stands for; null for none.
 *
 * @throws MisuseError `unknown-callback` for a name that no module has
 */
export function resolveCallback<Callback extends Callable>(argument: string, callback: Callback | string | null): Callback | null {
  if (typeof callback !== 'string') return callback ?? null
  for (const module of modules) {
    // What every object inherits (toString, constructor) is no function of the module's.
    const found: unknown = Object.hasOwn(module, callback) ? Reflect.get(module, callback) : undefined
    if (typeof found === 'function') return found as Callback
  }
  throw new MisuseError('unknown-callback', `${argument}: no loaded module has a function ${show(callback)}`)
}

/** The failure, with the name that its callback has here. */
export function inKoresWords({ callback, outcome }: Failure): Failure {
  return { callback: KORE_CALLBACKS.get(callback) ?? callback, outcome }
}
