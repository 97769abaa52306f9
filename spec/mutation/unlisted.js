/** Which files of lib/protocol and lib/handshake nobody breaks. */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MUTATIONS, WITHOUT } from './list.js'

const LIB = fileURLToPath(new URL('../../lib', import.meta.url))

/** The files there are: `protocol/utf8.ts`. */
export function filesToBreak() {
  return ['protocol', 'handshake'].flatMap(folder => readdirSync(`${LIB}/${folder}`).map(name => `${folder}/${name}`))
}

/** A complaint for each file with neither mutations nor a reason for that, and for each reason that is for no file. */
export function complain(files) {
  const isListed = file => Object.hasOwn(MUTATIONS, file)
  return [
    ...files
      .filter(file => !isListed(file) && !Object.hasOwn(WITHOUT, file))
      .map(file => `lib/${file} has no mutations in spec/mutation/list.js, and there is no reason for it`),
    ...Object.keys(WITHOUT)
      .filter(file => isListed(file) || !files.includes(file))
      .map(file => `spec/mutation/list.js has a reason for lib/${file} that is not needed`),
  ]
}
