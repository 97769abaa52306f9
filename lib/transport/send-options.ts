/** The options of `send`, `publish` and `broadcast`, checked without making anything: they come with every message. */
import { SEND_NAMES } from '../foreign-names.ts'
import { MisuseError, show } from '../protocol/misuse-error.ts'
import { unknownName, type KnownNames } from '../protocol/option-names.ts'
import type { PublishOptions, SendOptions } from './connection-setup.ts'

const SEND: KnownNames = { names: ['binary', 'compress'], foreign: SEND_NAMES, code: 'invalid-argument' }
const PUBLISH: KnownNames = {
  ...SEND,
  names: [...SEND.names, 'scope'],
  foreign: new Map([...SEND_NAMES, ['except', 'socket.publish leaves its own connection out']]),
}
const BROADCAST: KnownNames = { ...SEND, names: [...PUBLISH.names, 'except'] }

/** @throws MisuseError `invalid-argument` for what is no object, an unknown name, or a value of another type */
export function checkSendOptions(options: SendOptions): void {
  if (typeof options !== 'object' || options === null) throw noOptions(options)
  for (const name in options) {
    if (name !== 'binary' && name !== 'compress') throw unknownName(name, SEND)
  }
  checkEncoding(options)
}

/** @throws MisuseError `invalid-argument` as `checkSendOptions` */
export function checkPublishOptions(options: PublishOptions): void {
  if (typeof options !== 'object' || options === null) throw noOptions(options)
  for (const name in options) {
    if (name !== 'binary' && name !== 'compress' && name !== 'scope') throw unknownName(name, PUBLISH)
  }
  checkScope(options)
}

/** @throws MisuseError `invalid-argument` as `checkSendOptions`; `except` is for the caller to check */
export function checkBroadcastOptions(options: PublishOptions): void {
  if (typeof options !== 'object' || options === null) throw noOptions(options)
  for (const name in options) {
    const known = name === 'binary' || name === 'compress' || name === 'scope' || name === 'except'
    if (!known) throw unknownName(name, BROADCAST)
  }
  checkScope(options)
}

function checkEncoding({ binary, compress }: SendOptions): void {
  if (binary !== undefined && typeof binary !== 'boolean') throw invalid(`binary must be true or false, and not ${show(binary)}`)
  if (compress !== undefined && typeof compress !== 'boolean') throw invalid(`compress must be true or false, and not ${show(compress)}`)
}

function checkScope(options: PublishOptions): void {
  checkEncoding(options)
  const { scope } = options
  if (scope === undefined || scope === 'local' || scope === 'global') return
  throw invalid(`scope must be 'local' or 'global', and not ${show(scope)}`)
}

function noOptions(given: unknown): MisuseError {
  const asIn = 'as in { binary: true, compress: false }'
  if (typeof given === 'function') {
    return invalid(`options must be an object, ${asIn}, and not a function: drained() resolves when the system takes more`)
  }
  return invalid(`options must be an object, ${asIn}, and not ${show(given)}`)
}

function invalid(sentence: string): MisuseError {
  return new MisuseError('invalid-argument', sentence)
}
