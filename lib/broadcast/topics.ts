/** Who takes part in which topic: a data structure that has never seen a socket. */
import { ownString } from '../protocol/own-string.ts'

/**
 * Bytes of memory of one topic of a member besides the name, rounded up. They are those of the string, of the set with one
 * member, and of an entry in two tables.
 */
export const TOPIC_COST = 384

interface Topic<Member> {
  readonly name: string
  readonly members: Set<Member>
}

/** What one member takes part in. */
interface Membership<Member> {
  readonly topics: Set<Topic<Member>>
  /** Of memory, as `Topics.bytes` says. */
  bytes: number
}

export class Topics<Member> {
  readonly #topics = new Map<string, Topic<Member>>()
  readonly #memberships = new Map<Member, Membership<Member>>()

  /** Returns how many topics the member has now. */
  subscribe(member: Member, name: string): number {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      // Names are cut from what peers send, and kept for longer.
      topic = { name: ownString(name), members: new Set() }
      this.#topics.set(topic.name, topic)
    }
    let membership = this.#memberships.get(member)
    if (membership === undefined) {
      membership = { topics: new Set(), bytes: 0 }
      this.#memberships.set(member, membership)
    }
    if (!topic.members.has(member)) {
      topic.members.add(member)
      membership.topics.add(topic)
      membership.bytes += costOf(topic)
    }
    return membership.topics.size
  }

  /** Returns how many topics the member has now. */
  unsubscribe(member: Member, name: string): number {
    const topic = this.#topics.get(name)
    const membership = this.#memberships.get(member)
    if (topic !== undefined && membership?.topics.delete(topic) === true) {
      membership.bytes -= costOf(topic)
      if (membership.topics.size === 0) this.#memberships.delete(member)
      this.#removeFrom(topic, member)
    }
    return membership?.topics.size ?? 0
  }

  /** The member leaves every topic. */
  leave(member: Member): void {
    for (const topic of this.#memberships.get(member)?.topics ?? []) this.#removeFrom(topic, member)
    this.#memberships.delete(member)
  }

  /** Who takes part in a topic, in the order in which they joined. */
  members(name: string): Iterable<Member> {
    return this.#topics.get(name)?.members ?? []
  }

  /** Whether a member takes part in a topic. */
  has(member: Member, name: string): boolean {
    return this.#topics.get(name)?.members.has(member) === true
  }

  /** How many take part in a topic. */
  membersOf(name: string): number {
    return this.#topics.get(name)?.members.size ?? 0
  }

  /** How many topics a member takes part in. */
  count(member: Member): number {
    return this.#memberships.get(member)?.topics.size ?? 0
  }

  /** Bytes of memory that its topics count with for a member: for each `TOPIC_COST`, and two for a character of its name. */
  bytes(member: Member): number {
    return this.#memberships.get(member)?.bytes ?? 0
  }

  /** How many topics have members. */
  get size(): number {
    return this.#topics.size
  }

  #removeFrom(topic: Topic<Member>, member: Member): void {
    topic.members.delete(member)
    if (topic.members.size === 0) this.#topics.delete(topic.name)
  }
}

function costOf({ name }: Topic<unknown>): number {
  return TOPIC_COST + 2 * name.length
}
