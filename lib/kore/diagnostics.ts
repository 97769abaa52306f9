/** What is counted of all websockets of Kore's calls in this worker. */
import { Diagnostics } from '../diagnostics.ts'

export const diagnostics = new Diagnostics()
