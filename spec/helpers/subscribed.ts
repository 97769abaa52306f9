/** What is published on the channels while a test runs. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Test } from 'tap'
import type { ChannelMessages } from '../../lib/diagnostics.ts'

/** Everything published on a channel from now on, until the test ends. */
export function subscribed<Name extends keyof ChannelMessages>(t: Test, name: Name): ChannelMessages[Name][] {
  const messages: ChannelMessages[Name][] = []
  const listener = (message: unknown): void => void messages.push(message as ChannelMessages[Name])
  subscribe(name, listener)
  t.teardown(() => unsubscribe(name, listener))
  return messages
}
