/** Objects without a class of their own. */

/** Whether it was written as `{ … }`, in this realm or another, or has no prototype. */
export function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
