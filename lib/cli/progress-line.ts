/** How far a run is: on one line of a terminal that is written over and over; elsewhere in a line now and then. */
import type { WriteStream } from 'node:tty'
import type { Progress } from '../conformance/index.ts'

const ERASE_LINE = '\r\u001b[K'
/** Milliseconds between two lines: more often than that nobody can read. */
const PAUSE = 100
/** The same where each stays: enough to see in a log that the run goes on, and where. */
const LOG_PAUSE = 10_000

/** What it needs of a terminal. */
export type Terminal = Pick<WriteStream, 'write'> & { readonly isTTY?: boolean; readonly columns?: number }

export class ProgressLine {
  readonly #terminal: Terminal
  #shown = -Infinity
  #logged = 0

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  show(progress: Progress): void {
    if (this.#terminal.isTTY === true) this.#draw(progress)
    else this.#log(progress)
  }

  #draw(progress: Progress): void {
    if (progress.elapsed - this.#shown < PAUSE && progress.done < progress.total) return
    this.#shown = progress.elapsed
    // One column stays free: some terminals go to the next line when the last one is filled.
    this.#terminal.write(ERASE_LINE + describe(progress).slice(0, (this.#terminal.columns ?? 80) - 1))
  }

  #log(progress: Progress): void {
    if (progress.elapsed - this.#logged < LOG_PAUSE) return
    this.#logged = progress.elapsed
    this.#terminal.write(`${describe(progress)}\n`)
  }

  clear(): void {
    if (this.#shown >= 0) this.#terminal.write(ERASE_LINE)
  }
}

function describe({ done, total, failed, result, elapsed, title }: Progress): string {
  const percent = `${Math.floor((100 * done) / total)} %`.padStart(5)
  const seconds = Math.round(elapsed / 1000)
  return `${percent}  ${done}/${total}  ${seconds} s  ${failed} failed  ${result.id} ${title}`
}
