/** What all websockets of Kore's calls in this worker share: counts, how many there may be, how much they may hold. */
import { Diagnostics } from '../diagnostics.ts'
import { resolveLimits } from '../limits.ts'
import { Admission } from '../transport/admission.ts'
import { MemoryBudget } from '../transport/memory-budget.ts'

const limits = resolveLimits()

export const diagnostics = new Diagnostics()

export const memory = new MemoryBudget(limits.memory, diagnostics)
/** As of a WebSocketServer with no limits given. */
export const admission = new Admission(limits, false, diagnostics, memory)
