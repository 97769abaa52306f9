import t from 'tap'
import { chooseOffer, formatOffers, readAnswer } from '../../../lib/conformance/wire/extension.ts'

const NONE = { noContextTakeover: false, windowBits: 0 }
const FRESH = { noContextTakeover: true, windowBits: 0 }
const NINE = { noContextTakeover: false, windowBits: 9 }
const BOTH = { noContextTakeover: true, windowBits: 9 }

const OPEN = { contextTakeover: true, windowBits: 15 }

t.test('offers: always what the tester takes, and what it wishes', async t => {
  const base = 'permessage-deflate; client_no_context_takeover; client_max_window_bits'
  t.equal(formatOffers([NONE]), base)
  t.equal(formatOffers([FRESH]), `${base}; server_no_context_takeover`)
  t.equal(formatOffers([NINE]), `${base}; server_max_window_bits=9`)
  t.equal(
    formatOffers([BOTH, FRESH, NONE]),
    `${base}; server_no_context_takeover; server_max_window_bits=9, ${base}; server_no_context_takeover, ${base}`
  )
})

t.test('answers that agree', async t => {
  const agreed = (value: string, wishes = [NONE]): unknown => readAnswer(value, wishes)
  t.equal(readAnswer(undefined, [NONE]), undefined)
  t.same(agreed('permessage-deflate'), { server: OPEN, client: OPEN })
  t.same(agreed('permessage-deflate; server_no_context_takeover; client_max_window_bits=10'), {
    server: { contextTakeover: false, windowBits: 15 },
    client: { contextTakeover: true, windowBits: 10 },
  })
  t.same(agreed('permessage-deflate;client_no_context_takeover;server_max_window_bits="8"', [NINE]), {
    server: { contextTakeover: true, windowBits: 8 },
    client: { contextTakeover: false, windowBits: 15 },
  })
  t.same(agreed('permessage-deflate', [BOTH, NONE]), { server: OPEN, client: OPEN }, 'the second offer')
})

t.test('answers that fail the handshake', async t => {
  const wrong: [value: string, wishes: (typeof NONE)[], complaint: RegExp][] = [
    ['permessage-deflate', [], /was not offered/],
    ['x-webkit-deflate-frame', [NONE], /x-webkit-deflate-frame was not offered/],
    ['permessage-deflate, permessage-deflate', [NONE], /more than one/],
    ['', [NONE], /malformed/],
    ['permessage-deflate; =', [NONE], /malformed/],
    ['permessage-deflate; server_no_context_takeover; server_no_context_takeover', [NONE], /malformed/],
    ['permessage-deflate; other', [NONE], /other is unknown/],
    ['permessage-deflate; server_no_context_takeover=1', [NONE], /takes no value/],
    ['permessage-deflate; client_max_window_bits', [NONE], /client_max_window_bits takes a number/],
    ['permessage-deflate; server_max_window_bits', [NONE], /server_max_window_bits takes a number/],
    ...['7', '16', '08', '9a'].map((bits): [string, (typeof NONE)[], RegExp] => [
      `permessage-deflate; server_max_window_bits=${bits}`,
      [NONE],
      /a number from 8 to 15/,
    ]),
    ['permessage-deflate', [FRESH], /none of the offers/],
    ['permessage-deflate', [NINE], /none of the offers/],
    ['permessage-deflate; server_max_window_bits=10', [NINE], /none of the offers/],
    ['permessage-deflate; server_no_context_takeover', [BOTH], /none of the offers/],
  ]
  for (const [value, wishes, complaint] of wrong) t.match(readAnswer(value, wishes), complaint, value)
})

t.test('as a server: the first wish that an offer lets it have', async t => {
  const chosen = (value: string | undefined, ...wishes: (typeof NONE)[]): string | undefined =>
    chooseOffer(value, wishes)?.answer
  const full = 'permessage-deflate; client_no_context_takeover; client_max_window_bits'
  t.equal(chosen(undefined, NONE), undefined)
  t.equal(chosen('permessage-deflate', NONE), 'permessage-deflate')
  t.equal(chosen('other, permessage-deflate', NONE), 'permessage-deflate')
  t.equal(chosen('permessage-deflate', FRESH), 'permessage-deflate; client_no_context_takeover', 'unasked')
  t.equal(chosen('permessage-deflate', NINE), undefined)
  t.equal(chosen(full, FRESH), 'permessage-deflate; client_no_context_takeover')
  t.equal(chosen(full, NINE), 'permessage-deflate; client_max_window_bits=9')
  t.equal(chosen(full, BOTH), 'permessage-deflate; client_no_context_takeover; client_max_window_bits=9')
  t.equal(chosen('permessage-deflate; client_max_window_bits=8', NINE), 'permessage-deflate; client_max_window_bits=8')
  t.equal(chosen('permessage-deflate; client_max_window_bits=12', NINE), 'permessage-deflate; client_max_window_bits=9')
  // What undici, ws, websockets and browsers offer, and what the least of clients does.
  const usual = 'permessage-deflate; client_max_window_bits'
  t.equal(chosen(usual, BOTH), 'permessage-deflate; client_no_context_takeover; client_max_window_bits=9')
  t.equal(chosen(usual, BOTH, FRESH, NONE), 'permessage-deflate; client_no_context_takeover; client_max_window_bits=9')
  t.equal(chosen('permessage-deflate', BOTH), undefined, 'no window unasked (section 7.1.2.2)')
  t.equal(chosen('permessage-deflate', BOTH, FRESH, NONE), 'permessage-deflate; client_no_context_takeover')
  t.equal(
    chosen('permessage-deflate; server_no_context_takeover; server_max_window_bits=10', NONE),
    'permessage-deflate; server_no_context_takeover; server_max_window_bits=10'
  )
  t.equal(chosen(`permessage-deflate; other, ${full}`, FRESH), 'permessage-deflate; client_no_context_takeover')
  t.equal(chosen('permessage-deflate; server_max_window_bits', NONE), undefined)
  t.equal(chosen('permessage-deflate; client_max_window_bits=7', NONE), undefined)
  t.same(chooseOffer(`${full}; server_no_context_takeover`, [BOTH])?.agreement, {
    server: { contextTakeover: false, windowBits: 15 },
    client: { contextTakeover: false, windowBits: 9 },
  })
})
