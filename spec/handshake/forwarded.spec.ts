/** Whom a proxy speaks for: RFC 7239, and X-Forwarded-For as proxies write it. */
import t from 'tap'
import { forwardedAddress } from '../../lib/handshake/forwarded.ts'
import { randomTexts } from './random.ts'

const PEER = '10.0.0.1'
const CLIENT = '192.0.2.1'

/** Proxies are those that begin with `10.` or `fd`; what has no dot and no colon in it is no address. */
function isProxy(address: string): boolean | undefined {
  if (!/^[\d.]+\.[\d.]+$|:/.test(address)) return undefined
  return address.startsWith('10.') || address.startsWith('fd')
}

function read(header: string, ...lines: string[]): string {
  const rawHeaders = ['Host', 'localhost', ...lines.flatMap(line => [header, line]), 'X-Other', '192.0.2.99']
  return forwardedAddress(rawHeaders, header.toLowerCase(), PEER, isProxy)
}

t.test('without the header it is the proxy', async t => {
  t.equal(forwardedAddress([], 'forwarded', PEER, isProxy), PEER)
  t.equal(forwardedAddress(['X-Other', CLIENT], 'forwarded', PEER, isProxy), PEER)
  t.equal(forwardedAddress(['X-Forwarded-For', CLIENT], 'forwarded', PEER, isProxy), PEER)
})

t.test('the header is known by its name in any case, from the first to the last', async t => {
  for (const name of ['x-forwarded-for', 'X-Forwarded-For', 'X-FORWARDED-FOR']) {
    t.equal(forwardedAddress([name, CLIENT], 'x-forwarded-for', PEER, isProxy), CLIENT, name)
    t.equal(forwardedAddress(['a', 'b', name, CLIENT], 'x-forwarded-for', PEER, isProxy), CLIENT, name)
  }
})

t.test('a list of addresses: the last one that is no proxy', async t => {
  const cases: [lines: string[], client: string][] = [
    [[CLIENT], CLIENT],
    [[` ${CLIENT}\t`], CLIENT],
    [[`192.0.2.7, ${CLIENT}`], CLIENT],
    [[`192.0.2.7,${CLIENT}, 10.0.0.3 ,10.0.0.2`], CLIENT],
    [['192.0.2.7', `${CLIENT}, 10.0.0.3`, '10.0.0.2'], CLIENT],
    [['192.0.2.7', CLIENT], CLIENT],
    [[`${CLIENT},,10.0.0.2, ,`], CLIENT],
    [[CLIENT, ''], CLIENT],
    [['10.0.0.3, 10.0.0.2'], '10.0.0.3'],
    [[''], PEER],
    [[' , '], PEER],
  ]
  for (const [lines, client] of cases) t.equal(read('X-Forwarded-For', ...lines), client, JSON.stringify(lines))
})

t.test('an address in a list may have a port', async t => {
  const cases: [line: string, client: string][] = [
    [`${CLIENT}:80`, CLIENT],
    [`${CLIENT}:65535`, CLIENT],
    [`${CLIENT}:_hidden`, CLIENT],
    ['2001:db8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:80', '2001:db8::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['2001:db8::1, fd00::1, [fd00::2]:80, 10.0.0.2:80', '2001:db8::1'],
  ]
  for (const [line, client] of cases) t.equal(read('X-Forwarded-For', line), client, line)
})

t.test('a list: what is malformed, or hides who it was, leaves the proxy that wrote it', async t => {
  const wrong = ['unknown', '_hidden', 'localhost', '192.0.2.1:', '192.0.2.1:123456', '192.0.2.1:a', '192.0.2.1:_', '[2001:db8::1']
  const more = ['[]', '[192.0.2.1]', '[2001:db8::1]80', '[2001:db8::1]:', '[2001:db8::1]:x', '[2001:db8::1]:8a', ':', '"192.0.2.1"']
  for (const node of [...wrong, ...more]) {
    t.equal(read('X-Forwarded-For', node), PEER, node)
    t.equal(read('X-Forwarded-For', `${CLIENT}, ${node}, 10.0.0.2`), '10.0.0.2', node)
    t.equal(read('X-Forwarded-For', CLIENT, `${node}, 10.0.0.2`), '10.0.0.2', node)
    t.equal(read('X-Forwarded-For', `${node}, ${CLIENT}`), CLIENT, `${node}, in front of the client's`)
  }
})

t.test('RFC 7239, section 4: the examples', async t => {
  t.equal(read('Forwarded', 'for="_gazonk"'), PEER)
  t.equal(read('Forwarded', 'For="[2001:db8:cafe::17]:4711"'), '2001:db8:cafe::17')
  t.equal(read('Forwarded', 'for=192.0.2.60;proto=http;by=203.0.113.43'), '192.0.2.60')
  t.equal(read('Forwarded', 'for=192.0.2.43, for=198.51.100.17'), '198.51.100.17')
  // Section 7.1: several lines are one list.
  t.equal(read('Forwarded', 'for=192.0.2.43, for="[2001:db8:cafe::17]"', 'for=10.0.0.2'), '2001:db8:cafe::17')
})

t.test('Forwarded: each way to write an element', async t => {
  const cases: [line: string, client: string][] = [
    [`for=${CLIENT}`, CLIENT],
    [`for="${CLIENT}"`, CLIENT],
    [`for="192.0.2\\.1"`, CLIENT],
    [`for="${CLIENT}:47011"`, CLIENT],
    [`for="${CLIENT}:_port"`, CLIENT],
    [`FOR=${CLIENT}`, CLIENT],
    [`by=_me;for=${CLIENT};host="a, for=192.0.2.9"`, CLIENT],
    [`by=_me; for=${CLIENT} ;proto=https`, CLIENT],
    [`ext="a\\"b;c";for=${CLIENT}`, CLIENT],
    [`for=${CLIENT},for=10.0.0.3 , , for="[fd00::1]"`, CLIENT],
    ['for=10.0.0.3, for=10.0.0.2', '10.0.0.3'],
  ]
  for (const [line, client] of cases) t.equal(read('Forwarded', line), client, line)
})

t.test('Forwarded: what hides the client, or says nothing of it, leaves the proxy that wrote it', async t => {
  for (const element of ['for=unknown', 'for=_x', 'proto=https', 'for=""', 'for="[192.0.2.1]"', 'for="2001:db8::1"', 'for="192.0.2.1:"']) {
    t.equal(read('Forwarded', element), PEER, element)
    t.equal(read('Forwarded', `for=${CLIENT}, ${element}, for=10.0.0.2`), '10.0.0.2', element)
  }
})

t.test('Forwarded: a malformed line is not read, nor is what is in front of it', async t => {
  const wrong = [CLIENT, '=', `for=${CLIENT};`, `for=${CLIENT};for=${CLIENT}`, `for =${CLIENT}`, `for= ${CLIENT}`, 'for="', 'for="\\', 'for=[::1]']
  for (const line of [...wrong, `for=${CLIENT}:80`, `for=${CLIENT} b`, `for=${CLIENT}; ,`, `"for"=${CLIENT}`, `=a;for=${CLIENT}`, `for"${CLIENT}"`, 'for="a"b']) {
    t.equal(read('Forwarded', line), PEER, line)
    t.equal(read('Forwarded', `for=${CLIENT}`, line, 'for=10.0.0.2'), '10.0.0.2', line)
    t.equal(read('Forwarded', line, `for=${CLIENT}`), CLIENT, `${line}, in a line in front`)
  }
})

t.test('a quote that the client leaves open hides nothing of what a proxy adds in a line of its own', async t => {
  t.equal(read('Forwarded', 'for="10.0.0.9', `for=${CLIENT}`), CLIENT)
  t.equal(read('Forwarded', `for="10.0.0.9, for=${CLIENT}`), PEER, 'in the same line it is the proxy')
})

t.test('whatever a client writes, what trusted proxies add behind it decides', async t => {
  const { text } = randomTexts(t)
  const wrong: string[] = []
  for (let i = 0; i < 5000; i++) {
    const noise = text(['for=', '192.0.2.8', '10.0.0.9', ',', ';', ':', '"', '\\', '[', ']', ' ', '_', '-', '='], 12)
    if (read('Forwarded', noise, `for=${CLIENT}, for=10.0.0.2`) !== CLIENT) wrong.push(noise)
    if (read('X-Forwarded-For', `${noise}, ${CLIENT}, 10.0.0.2`) !== CLIENT) wrong.push(noise)
    // To this isProxy whatever has a colon is an IPv6 address.
    if (!/^(10|192)\.[\d.]+$|:/.test(read('Forwarded', noise))) wrong.push(noise)
  }
  t.strictSame(wrong, [])
})
