/** What the application has got of a connection and not finished with: counted until it is let go, also behind the end. */
import type { MemoryBudget } from './memory-budget.ts'

/** What a callback that has not settled takes besides its message, in bytes: promises, reactions, and what they refer to. */
export const CALLBACK_COST = 512

export class KeptAccount {
  readonly #memory: MemoryBudget | undefined
  #bytes = 0

  /** @param memory where it counts; undefined: nowhere */
  constructor(memory: MemoryBudget | undefined) {
    this.#memory = memory
  }

  get bytes(): number {
    return this.#bytes
  }

  set bytes(bytes: number) {
    const change = bytes - this.#bytes
    this.#bytes = bytes
    if (change !== 0) this.#memory?.keep(change)
  }
}

const forgotten = new FinalizationRegistry<KeptAccount>(account => {
  account.bytes = 0
})

/** Clears the account when its owner is collected: a promise may never settle, and a loop may never be gone on with. */
export function clearWith(owner: object, account: KeptAccount): void {
  if (account.bytes > 0) forgotten.register(owner, account)
}
