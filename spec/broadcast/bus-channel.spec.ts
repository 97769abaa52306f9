import { once } from 'node:events'
import t from 'tap'
import { BusChannel } from '../../lib/broadcast/bus-channel.ts'
import { sealEnvelope, type Envelope } from '../../lib/broadcast/envelope.ts'
import { Opcode } from '../../lib/protocol/opcode.ts'
import { bytes, hex } from '../helpers/frames.ts'
import { FakeBus } from '../helpers/fake-bus.ts'

const hello: Envelope = { opcode: Opcode.text, compress: undefined, topic: undefined, payload: Buffer.from('hello') }

t.test('what one end publishes comes to the others, and what is no envelope is dropped, counted and warned of once', async t => {
  const bus = new FakeBus()
  const [here, there] = [bus.end(), bus.end()]
  const heard: string[] = []
  const sender = new BusChannel(here, 'a', () => {})
  const receiver = new BusChannel(there, 'a', ({ payload }) => void heard.push(hex(Buffer.from(payload))))
  sender.publish(hello)
  const warnings: string[] = []
  const onWarning = ({ message, code }: NodeJS.ErrnoException): void => void warnings.push(`${code}: ${message}`)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const warned = once(process, 'warning')
  for (const each of ['', '81', '8105aabb', '4b5701']) here.publish('a', bytes(each))
  for (let i = 0; i < 3; i++) here.publish('a', bytes(`4b5709${hex(sealEnvelope(hello)).slice(6)}`))
  await warned
  await new Promise(resolve => setImmediate(resolve))
  sender.publish(hello)
  t.strictSame(heard, [hex(Buffer.from('hello')), hex(Buffer.from('hello'))])
  t.strictSame([receiver.malformed, sender.malformed], [7, 0])
  t.strictSame(warnings.map(warning => warning.split(':')[0]), ['KORE_WS_MALFORMED', 'KORE_WS_FOREIGN_VERSION'])
  t.match(warnings[0], /bus channel "a"/)
})

t.test('a name is one server\'s, until that leaves', async t => {
  const bus = new FakeBus()
  const end = bus.end()
  const first = new BusChannel(end, 'server ', () => {})
  t.throws(() => new BusChannel(end, 'server ', () => {}), { name: 'MisuseError', code: 'invalid-state', message: /name: "admin"/ })
  t.equal(bus.listeners, 1)
  const other = new BusChannel(end, 'server admin', () => {})
  const elsewhere = new BusChannel(bus.end(), 'server ', () => {})
  first.close()
  const second = new BusChannel(end, 'server ', () => {})
  for (const each of [other, elsewhere, second]) each.close()
  t.equal(bus.listeners, 0)
})
