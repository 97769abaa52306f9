/** A process that takes jobs, one at a time: the load generator, or the parsers and serializers alone. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { kill, track } from './children.js'
import { pinned } from './pinning.js'

export class WorkerProcess {
  #child
  #start

  /** @param {string} file in bench/ @param {{ node: string, cpu: number | undefined }} options */
  constructor(file, { node, cpu }) {
    const [command, parameters] = pinned(cpu, node, [fileURLToPath(new URL(`../${file}`, import.meta.url))])
    this.#start = () => {
      const child = track(
        spawn(command, parameters, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true, env: process.env })
      )
      child.on('error', () => {})
      return child
    }
  }

  /**
   * @param {object} job
   * @param {number} seconds that it may take
   * @param {(question: string) => Promise<number | undefined>} answer
   * @returns {Promise<any>} its result @throws what went wrong, as an Error
   */
  perform(job, seconds, answer = async () => undefined) {
    const child = (this.#child ??= this.#start())
    return new Promise((resolve, reject) => {
      const settle = (conclude, value) => {
        clearTimeout(timer)
        child.off('message', onMessage)
        child.off('exit', onExit)
        conclude(value)
      }
      const giveUp = why => {
        this.stop()
        settle(reject, new Error(why))
      }
      const timer = setTimeout(() => giveUp(`hung: no result within ${seconds} s`), seconds * 1000)
      const onExit = () => giveUp('the measuring process ended')
      const onMessage = async message => {
        if ('question' in message) child.send({ answer: await answer(message.question).catch(() => undefined) })
        else if ('error' in message) settle(reject, new Error(message.error))
        else settle(resolve, message.result)
      }
      child.on('message', onMessage)
      child.once('exit', onExit)
      child.send(job)
    })
  }

  stop() {
    if (this.#child !== undefined) kill(this.#child)
    this.#child = undefined
  }
}
