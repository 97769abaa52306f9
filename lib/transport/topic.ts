/** Names of topics. */
import { MisuseError, show } from '../protocol/misuse-error.ts'

const MAX_LENGTH = 255

/** @throws MisuseError `invalid-argument` for what is no string of at most 255 characters */
export function checkTopic(topic: string): string {
  if (typeof topic === 'string' && topic.length <= MAX_LENGTH) return topic
  const given = typeof topic === 'string' ? `one of ${topic.length as number}` : show(topic)
  throw new MisuseError('invalid-argument', `topic must be a string of at most ${MAX_LENGTH} characters, and not ${given}`)
}
