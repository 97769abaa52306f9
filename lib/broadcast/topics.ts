/** Who takes part in which topic: a data structure that has never seen a socket. */

export class Topics<Member> {
  readonly #members = new Map<string, Set<Member>>()
  readonly #topics = new Map<Member, Set<string>>()

  subscribe(member: Member, topic: string): void {
    add(this.#members, topic, member)
    add(this.#topics, member, topic)
  }

  unsubscribe(member: Member, topic: string): void {
    remove(this.#members, topic, member)
    remove(this.#topics, member, topic)
  }

  /** The member leaves every topic. */
  leave(member: Member): void {
    for (const topic of this.#topics.get(member) ?? []) remove(this.#members, topic, member)
    this.#topics.delete(member)
  }

  /** Who takes part in a topic, in the order in which they joined. */
  members(topic: string): Iterable<Member> {
    return this.#members.get(topic) ?? []
  }

  /** The topics that a member takes part in. */
  topics(member: Member): Iterable<string> {
    return this.#topics.get(member) ?? []
  }

  /** How many topics have members. */
  get size(): number {
    return this.#members.size
  }
}

function add<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([value]))
  else set.add(value)
}

function remove<Key, Value>(sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = sets.get(key)
  if (set === undefined) return
  set.delete(value)
  if (set.size === 0) sets.delete(key)
}
