import t from 'tap'
import { Topics } from '../../lib/broadcast/topics.ts'

t.test('members of a topic, in the order in which they joined, each once', async t => {
  const topics = new Topics<string>()
  for (const member of ['b', 'a', 'b', 'c', 'a']) topics.subscribe(member, 'room')
  t.strictSame([...topics.members('room')], ['b', 'a', 'c'])
  t.strictSame([...topics.topics('a')], ['room'])
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
  t.strictSame([...topics.topics('a')], ['one', 'two'])
  t.strictSame([...topics.topics('c')], [])
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
  t.strictSame([...topics.topics('a')], ['two'])
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
  t.strictSame([...topics.topics('a')], [])
})

t.test('a topic without members is forgotten', async t => {
  const topics = new Topics<number>()
  for (let i = 0; i < 100; i++) topics.subscribe(i, `room ${i}`)
  t.equal(topics.size, 100)
  for (let i = 0; i < 50; i++) topics.unsubscribe(i, `room ${i}`)
  for (let i = 50; i < 100; i++) topics.leave(i)
  t.equal(topics.size, 0)
})

t.test('100,000 members join and leave: nothing is left of them', async t => {
  const topics = new Topics<object>()
  for (let i = 0; i < 100_000; i++) {
    const member = {}
    topics.subscribe(member, 'room')
    topics.subscribe(member, `own ${i}`)
    if (i % 3 === 0) topics.unsubscribe(member, 'room')
    topics.leave(member)
    if (topics.size !== 0 || [...topics.topics(member)].length !== 0) t.fail(`${i}`)
  }
  t.equal(topics.size, 0)
})
