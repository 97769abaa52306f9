/** What all websockets of Kore's calls in this worker share: how many there may be, and how much they may hold. */
import { resolveLimits } from '../limits.ts'
import { Admission } from '../transport/admission.ts'
import { MemoryBudget } from '../transport/memory-budget.ts'
import { diagnostics } from './diagnostics.ts'

const limits = resolveLimits()

/** As of a WebSocketServer with no limits given. */
export const admission = new Admission(limits, false, diagnostics)
export const memory = new MemoryBudget(limits.memory, diagnostics)
