import t from 'tap'
import { TOPIC_COST, Topics } from '../../lib/broadcast/topics.ts'
import { retainedBy } from '../helpers/memory.ts'

t.test('members of a topic, in the order in which they joined, each once', async t => {
  const topics = new Topics<string>()
  for (const member of ['b', 'a', 'b', 'c', 'a']) topics.subscribe(member, 'room')
  t.strictSame([...topics.members('room')], ['b', 'a', 'c'])
  t.equal(topics.count('a'), 1)
  t.equal(topics.size, 1)
})

t.test('topics do not mix', async t => {
  const topics = new Topics<string>()
  topics.subscribe('a', 'one')
  topics.subscribe('a', 'two')
  topics.subscribe('b', 'two')
  t.strictSame([...topics.members('one')], ['a'])
  t.strictSame([...topics.members('two')], ['a', 'b'])
  t.strictSame([...topics.members('three')], [])
  t.strictSame([topics.count('a'), topics.count('b'), topics.count('c')], [2, 1, 0])
})

t.test('names of every kind are names', async t => {
  const topics = new Topics<string>()
  for (const name of ['', '__proto__', 'constructor', '*', 'ä']) topics.subscribe(`in ${name}`, name)
  for (const name of ['', '__proto__', 'constructor', '*', 'ä']) t.strictSame([...topics.members(name)], [`in ${name}`])
})

t.test('unsubscribe takes one member out of one topic, and is without effect elsewhere', async t => {
  const topics = new Topics<string>()
  topics.subscribe('a', 'one')
  topics.subscribe('a', 'two')
  topics.subscribe('b', 'one')
  topics.unsubscribe('a', 'one')
  topics.unsubscribe('a', 'one')
  topics.unsubscribe('c', 'two')
  topics.unsubscribe('a', 'three')
  t.strictSame([...topics.members('one')], ['b'])
  t.strictSame([...topics.members('two')], ['a'])
  t.equal(topics.count('a'), 1)
  topics.subscribe('a', 'one')
  t.strictSame([...topics.members('one')], ['b', 'a'])
})

t.test('leave takes a member out of everything', async t => {
  const topics = new Topics<string>()
  for (const topic of ['one', 'two', 'three']) topics.subscribe('a', topic)
  topics.subscribe('b', 'two')
  topics.leave('a')
  topics.leave('a')
  topics.leave('c')
  t.strictSame([...topics.members('one')], [])
  t.strictSame([...topics.members('two')], ['b'])
  t.strictSame([topics.count('a'), topics.bytes('a')], [0, 0])
})

t.test('a topic without members is forgotten', async t => {
  const topics = new Topics<number>()
  for (let i = 0; i < 100; i++) topics.subscribe(i, `room ${i}`)
  t.equal(topics.size, 100)
  for (let i = 0; i < 50; i++) topics.unsubscribe(i, `room ${i}`)
  for (let i = 50; i < 100; i++) topics.leave(i)
  t.equal(topics.size, 0)
})

t.test('how many topics a member has, and what they count with', async t => {
  const topics = new Topics<string>()
  t.strictSame([topics.subscribe('a', 'one'), topics.subscribe('a', 'one'), topics.subscribe('a', 'three')], [1, 1, 2])
  t.equal(topics.bytes('a'), 2 * TOPIC_COST + 2 * 'onethree'.length)
  t.equal(topics.subscribe('b', 'one'), 1)
  t.strictSame([topics.unsubscribe('a', 'two'), topics.unsubscribe('a', 'one'), topics.unsubscribe('c', 'one')], [2, 1, 0])
  t.equal(topics.bytes('a'), TOPIC_COST + 2 * 'three'.length)
  t.strictSame([topics.unsubscribe('a', 'three'), topics.bytes('a'), topics.count('b')], [0, 0, 1])
})

t.test('a topic takes no more memory than it counts with, and holds on to nothing that its name was cut from', async t => {
  const COUNT = 2000
  let counted = 0
  const taken = retainedBy(() => {
    const topics = new Topics<object>()
    const member = {}
    for (let i = 0; i < COUNT; i++) {
      const message = Buffer.alloc(4000, `${i} `.padEnd(20, 'x')).toString()
      topics.subscribe(member, message.slice(0, 20))
    }
    counted = topics.bytes(member)
    return topics
  })
  t.ok(taken < counted, `${taken} taken, ${counted} counted`)
  const known = retainedBy(() => {
    const topics = new Topics<object>()
    topics.subscribe({}, 'x'.repeat(20))
    return [topics, Array.from({ length: 50 }, () => {
      const member = {}
      topics.subscribe(member, Buffer.alloc(20_000, 'x').toString().slice(0, 20))
      return member
    })]
  })
  t.ok(known < 100_000, `${known} taken by 50 members of one topic`)
})

t.test('100,000 members join and leave: nothing is left of them', async t => {
  const topics = new Topics<object>()
  for (let i = 0; i < 100_000; i++) {
    const member = {}
    topics.subscribe(member, 'room')
    topics.subscribe(member, `own ${i}`)
    if (i % 3 === 0) topics.unsubscribe(member, 'room')
    topics.leave(member)
    if (topics.size !== 0 || topics.count(member) !== 0) t.fail(`${i}`)
  }
  t.equal(topics.size, 0)
})
