/** Keys and the values that answer them: RFC 6455, sections 1.3, 4.1 and 4.2.1. */
import t from 'tap'
import { acceptKey, isKey } from '../../lib/handshake/accept-key.ts'
import { randomTexts } from './random.ts'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

t.test("1.3: the RFC's example key gets the RFC's example answer", async t => {
  t.equal(isKey(KEY), true)
  t.equal(acceptKey(KEY), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
})

t.test('4.2.2: another key gets another answer', async t => {
  // The key of bytes 1 to 16, which the RFC mentions in section 4.1.
  t.equal(acceptKey('AQIDBAUGBwgJCgsMDQ4PEA=='), 'C/0nmHhBztSRGR1CwL6Tf4ZjwpY=')
})

t.test('4.2.1: a key is 16 bytes in base64', async t => {
  const keys: [why: string, key: string, good: boolean][] = [
    ['bytes 1 to 16', 'AQIDBAUGBwgJCgsMDQ4PEA==', true],
    ['zeros', 'AAAAAAAAAAAAAAAAAAAAAA==', true],
    ['slashes and one more', '/////////////////////w==', true],
    ['a plus', '++++++++++++++++++++++==', true],
    ['the ends of each range of digits', 'AZaz09+/AZaz09+/AZaz0w==', true],
    ['bits after the 16th byte, which decoders may ignore (RFC 4648, 3.5)', 'dGhlIHNhbXBsZSBub25jZR==', true],
    ['nothing', '', false],
    ['padding alone', '==', false],
    ['padding all over', '='.repeat(24), false],
    ['15 bytes', 'AAAAAAAAAAAAAAAAAAAA', false],
    ['17 bytes', 'AAAAAAAAAAAAAAAAAAAAAAA=', false],
    ['18 bytes', 'AAAAAAAAAAAAAAAAAAAAAAAA', false],
    ['19 bytes', 'AAAAAAAAAAAAAAAAAAAAAAAAAA==', false],
    ['no padding', 'dGhlIHNhbXBsZSBub25jZQ', false],
    ['half the padding', 'dGhlIHNhbXBsZSBub25jZQ=', false],
    ['more padding', 'dGhlIHNhbXBsZSBub25jZQ===', false],
    ['padding in front', '==dGhlIHNhbXBsZSBub25jZQ', false],
    ['padding in the middle', 'dGhlIHNhbXBsZS=ub25jZQ==', false],
    ['url-safe minus', '---------------------w==', false],
    ['url-safe underscore', '_____________________w==', false],
    ['a space', 'dGhlIHNhbXBsZS ub25jZQ==', false],
    ['a line end', 'dGhlIHNhbXBsZSBub25jZQ==\n', false],
    ['another alphabet', 'dGhlIHNhbXBsZSBub25jZ\u0410==', false],
  ]
  for (const [why, key, good] of keys) t.equal(isKey(key), good, why)
})

t.test('4.2.1: each place of a key takes the 64 digits and no other character', async t => {
  const digits = new Set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
  const wrong: string[] = []
  for (let place = 0; place < 22; place++) {
    for (let unit = 0; unit < 0x180; unit++) {
      const character = String.fromCharCode(unit)
      const key = KEY.slice(0, place) + character + KEY.slice(place + 1)
      if (isKey(key) !== digits.has(character)) wrong.push(key)
    }
  }
  t.strictSame(wrong, [])
})

t.test('4.2.1: of random bytes in base64, 16 bytes are a key', async t => {
  const random = randomTexts(t)
  const wrong: string[] = []
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(Array.from({ length: 12 + random.below(8) }, () => random.below(256)))
    if (isKey(bytes.toString('base64')) !== (bytes.length === 16)) wrong.push(bytes.toString('hex'))
  }
  t.strictSame(wrong, [])
})

t.test('a megabyte is no key', async t => {
  t.equal(isKey('A'.repeat(2 ** 20) + '=='), false)
})
