/** An AbortController that is made when somebody asks for its signal: of many handshakes hardly one does. */
import { captureContext } from './async-context.ts'
import type { AsyncResource } from 'node:async_hooks'

export class LazyAbort {
  #controller: AbortController | undefined
  /** Of whoever asked for the signal: its listeners run in it. */
  #context: AsyncResource | undefined
  #aborted = false

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      this.#context = captureContext()
      if (this.#aborted) this.#controller.abort()
    }
    return this.#controller.signal
  }

  abort(): void {
    this.#aborted = true
    const controller = this.#controller
    this.#context?.runInAsyncScope(() => controller?.abort())
  }

  /** Whether an error only says that this has been aborted: it is the signal's reason, or as in Node's own calls caused by it. */
  explains(error: unknown): boolean {
    if (!this.#aborted || this.#controller === undefined) return false
    const { reason } = this.#controller.signal
    return error === reason || (error instanceof Error && error.cause === reason)
  }
}
