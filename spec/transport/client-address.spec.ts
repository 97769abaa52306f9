import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import {
  addressKey,
  clientAddress,
  isNear,
  resolveTrustProxy,
  TrustedProxies,
  type TrustProxyOption,
} from '../../lib/transport/client-address.ts'
import { peerAddress } from '../../lib/node-internals/peer-address.ts'
import { eventually } from '../helpers/journal.ts'

t.test("a socket's address is the one that Node tells, whoever is asked, and none is kept with the socket", async t => {
  const sockets: Socket[] = []
  const server = createServer(socket => void sockets.push(socket))
  server.listen({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const clients = ['127.0.0.1', '127.0.0.2', '127.0.0.1'].map(localAddress => connect({ port, host: '127.0.0.1', localAddress }))
  t.teardown(() => {
    for (const socket of [...clients, ...sockets]) socket.destroy()
    server.close()
  })
  await eventually('three clients', () => sockets.length === 3)
  const told = sockets.map(peerAddress)
  t.strictSame([...told].sort(), ['127.0.0.1', '127.0.0.1', '127.0.0.2'])
  const isPortable = process.env.KORE_WS_PORTABLE === '1'
  for (const socket of sockets) t.equal(Reflect.has(socket, '_peername'), isPortable)
  t.strictSame(told, sockets.map(({ remoteAddress }) => remoteAddress))
  sockets[0].destroy()
  t.equal(peerAddress(sockets[0]), sockets[0].remoteAddress, 'a socket that is gone')
})

t.test('a unix socket has no address', async t => {
  const sockets: Socket[] = []
  const server = createServer(socket => void sockets.push(socket))
  const path = join(t.testdir(), 's')
  server.listen(path)
  await once(server, 'listening')
  const client = connect(path)
  t.teardown(() => {
    for (const socket of [client, ...sockets]) socket.destroy()
    server.close()
  })
  await eventually('a client', () => sockets.length === 1)
  t.equal(peerAddress(sockets[0]), undefined)
})

t.test('what counts as one address', async t => {
  const keys: [address: string, key: string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.255', '192.0.2.255'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::ffff:192.0.2.1%eth0', '192.0.2.1'],
    ['0:0:0:0:0:ffff:c000:0201', '192.0.2.1'],
    ['::1:ffff:c000:201', '0:0:0:0'],
    ['1::ffff:c000:201', '1:0:0:0'],
    ['::fffe:192.0.2.1', '0:0:0:0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:0DB8:0001:2::', '2001:db8:1:2'],
    ['2001:db8:1:2::ffff', '2001:db8:1:2'],
    ['2001:db8:1:3::1', '2001:db8:1:3'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8::2:3:4:5:6', '2001:db8:0:2'],
    ['::', '0:0:0:0'],
    ['::1', '0:0:0:0'],
    ['1::', '1:0:0:0'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['fe80::1:2:3:4%1', 'fe80:0:0:0'],
  ]
  for (const [address, key] of keys) t.equal(addressKey(address), key, address)
})

t.test('near is this machine, and a private network', async t => {
  const near = ['127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1', '10.0.0.0', '10.255.255.255', '172.16.0.1', '172.31.255.255']
  const more = ['192.168.0.1', '::ffff:192.168.0.1', '169.254.1.1', 'fc00::1', 'fdff::1', 'fe80::1', 'fe80::1%eth0', 'febf::1']
  for (const address of [...near, ...more]) t.equal(isNear(address), true, address)
  const far = ['126.255.255.255', '128.0.0.1', '11.0.0.1', '9.255.255.255', '172.15.255.255', '172.32.0.1', '192.167.1.1', '192.169.0.1']
  for (const address of [...far, '169.253.1.1', '169.255.1.1', '::2', '::', 'fbff::1', 'fe00::1', 'fec0::1', '2001:db8::1', '::ffff:8.8.8.8']) {
    t.equal(isNear(address), false, address)
  }
})

t.test('trustProxy: undefined and false trust nobody', async t => {
  t.equal(resolveTrustProxy(undefined), undefined)
  t.equal(resolveTrustProxy(false), undefined)
})

t.test('trustProxy: each way to name a proxy', async t => {
  const cases: [proxy: string, trusted: string[], not: string[]][] = [
    ['203.0.113.5', ['203.0.113.5', '::ffff:203.0.113.5'], ['203.0.113.4', '203.0.113.6']],
    ['203.0.113.0/24', ['203.0.113.0', '203.0.113.255'], ['203.0.112.255', '203.0.114.0']],
    ['0.0.0.0/0', ['203.0.113.0', '1.1.1.1'], []],
    ['203.0.113.5/32', ['203.0.113.5'], ['203.0.113.4']],
    ['2001:db8::5', ['2001:db8::5', '2001:0db8:0::0005'], ['2001:db8::6', '203.0.113.5']],
    ['2001:db8::/32', ['2001:db8::5', '2001:db8:ffff::'], ['2001:db9::']],
    ['2001:db8::5/128', ['2001:db8::5'], ['2001:db8::4']],
    ['loopback', ['127.0.0.1', '127.1.2.3', '::1'], ['10.0.0.1', '203.0.113.5']],
    ['private', ['10.1.1.1', '172.20.0.1', '192.168.9.9', 'fd00::1', 'fe80::1'], ['127.0.0.1', '172.32.0.1']],
    ['unix', [], ['127.0.0.1']],
  ]
  for (const [proxy, trusted, not] of cases) {
    const proxies = resolveTrustProxy({ header: 'X-Forwarded-For', proxies: [proxy] })
    const header = ['x-forwarded-for', '192.0.2.1']
    for (const peer of trusted) t.equal(proxies?.clientOf(peer, header), '192.0.2.1', `${proxy} trusts ${peer}`)
    for (const peer of not) t.equal(proxies?.clientOf(peer, header), peer, `${proxy} does not trust ${peer}`)
    t.equal(proxies?.clientOf(undefined, header), proxy === 'unix' ? '192.0.2.1' : undefined, `${proxy}, a unix socket`)
  }
})

t.test('the last address that is no trusted proxy’s; of an untrusted peer, its own', async t => {
  const proxies = new TrustedProxies({ header: 'Forwarded', proxies: ['loopback', '203.0.113.0/24'] })
  const forwarded = (value: string): string[] => ['Host', 'a', 'forwarded', value]
  const chain = forwarded('for=192.0.2.7, for="[2001:db8::1]:80", for=203.0.113.9')
  t.equal(proxies.clientOf('127.0.0.1', chain), '2001:db8::1')
  t.equal(proxies.clientOf('192.0.2.3', chain), '192.0.2.3')
  t.equal(proxies.clientOf('127.0.0.1', forwarded('for=192.0.2.7, for=unknown, for=203.0.113.9')), '203.0.113.9')
  t.equal(proxies.clientOf('127.0.0.1', forwarded('for=192.0.2.7, for=999.0.2.7')), '127.0.0.1', 'no address')
  t.equal(proxies.clientOf('127.0.0.1', forwarded('for="')), '127.0.0.1')
  t.equal(proxies.clientOf('127.0.0.1', ['x-forwarded-for', '192.0.2.7']), '127.0.0.1', 'another header')
  const unix = new TrustedProxies({ header: 'forwarded', proxies: ['unix'] })
  t.equal(unix.clientOf(undefined, forwarded('for=192.0.2.7, for=_x')), undefined, 'hidden behind a unix socket')
})

t.test('the client of a request', async t => {
  const request = { socket: { remoteAddress: '127.0.0.1' }, rawHeaders: ['X-Real-IP', '192.0.2.1'] } as unknown as IncomingMessage
  t.equal(clientAddress(request, undefined), '127.0.0.1')
  t.equal(clientAddress(request, resolveTrustProxy({ header: 'x-real-ip', proxies: ['loopback'] })), '192.0.2.1')
})

t.test('trustProxy, wrong: misuse that names what and what it may be', async t => {
  const header = 'x-forwarded-for'
  const wrong: [option: unknown, message: RegExp][] = [
    ...[null, true, 5, 'loopback', 0].map((value): [unknown, RegExp] => [value, /^trustProxy must be false or an object of header and proxies, and not /]),
    ...[undefined, null, 5, '', 'a b', 'x:y'].map((value): [unknown, RegExp] => [
      { header: value, proxies: ['loopback'] },
      /^trustProxy\.header must be the name of a header, such as x-forwarded-for, and not /,
    ]),
    ...[undefined, null, 'loopback', [], {}, [5], [''], ['localhost'], ['toString'], ['10.0.0.0/33'], ['10.0.0.0/'], ['10.0.0.0/-1'], ['10.0.0.0/8/8'], ['::/129'], ['10.0.0'], ['10.0.0.0/1e1'], ['loopback', '10.0.0.256'], ['/8'], ['loopback/8']].map(
      (proxies): [unknown, RegExp] => [
        { header, proxies },
        /^trustProxy\.proxies must be a list of addresses, networks such as 10\.0\.0\.0\/8, 'loopback', 'private' and 'unix', and not /,
      ]
    ),
    [{ header, proxies: ['loopback'], hops: 1 }, /^trustProxy\.hops is no option; there are header, proxies$/],
  ]
  for (const [option, message] of wrong) {
    const label = JSON.stringify(option)
    t.throws(() => resolveTrustProxy(option as TrustProxyOption), { name: 'MisuseError', code: 'invalid-option', message }, label)
  }
})
