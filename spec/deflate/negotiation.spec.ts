import t from 'tap'
import {
  formatOffer,
  negotiate,
  NegotiationError,
  readAgreement,
  type Agreement,
} from '../../lib/deflate/negotiation.ts'
import { resolveDeflateSettings, type DeflateSettings } from '../../lib/deflate/settings.ts'
import { parseExtensionList, type ExtensionElement } from '../../lib/handshake/grammar.ts'

const SHARED = resolveDeflateSettings()
const DEDICATED = resolveDeflateSettings({ mode: 'dedicated', windowBits: 15 })
const DEDICATED_12 = resolveDeflateSettings({ mode: 'dedicated' })

/** The elements of header lines, `;` and `,` in front of which the names are short. */
function elements(...lines: string[]): ExtensionElement[] {
  const list = parseExtensionList(lines.map(long))
  if (list === undefined) throw new Error(`no list of extensions: ${lines.join()}`)
  return list
}

/** pmd; snct; cnct; smwb; cmwb: the names in full. */
function long(short: string): string {
  return short
    .replace(/\bpmd\b/g, 'permessage-deflate')
    .replace(/\b([sc])nct\b/g, (_, who) => `${who === 's' ? 'server' : 'client'}_no_context_takeover`)
    .replace(/\b([sc])mwb\b/g, (_, who) => `${who === 's' ? 'server' : 'client'}_max_window_bits`)
}

/** [server's takeover, its window, client's takeover, its window] */
type Terms = [serverTakeover: boolean, serverWindow: number, clientTakeover: boolean, clientWindow: number]

function terms(agreement: Agreement): Terms {
  const { serverNoContextTakeover, serverMaxWindowBits, clientNoContextTakeover, clientMaxWindowBits } = agreement
  return [!serverNoContextTakeover, serverMaxWindowBits, !clientNoContextTakeover, clientMaxWindowBits]
}

t.test('section 7.1: what a server answers to an offer', async t => {
  const table: [settings: DeflateSettings, offer: string, response: string, terms: Terms][] = [
    // Shared: the server demands that nobody takes over context, offered or not (7.1.1.1, 7.1.1.2).
    [SHARED, 'pmd', 'pmd; snct; cnct', [false, 15, false, 15]],
    [SHARED, 'pmd; snct', 'pmd; snct; cnct', [false, 15, false, 15]],
    [SHARED, 'pmd; cnct', 'pmd; snct; cnct', [false, 15, false, 15]],
    [SHARED, 'pmd; cnct; snct', 'pmd; snct; cnct', [false, 15, false, 15]],
    [SHARED, 'pmd; cmwb', 'pmd; snct; cnct', [false, 15, false, 15]],
    [SHARED, 'pmd; cmwb=15', 'pmd; snct; cnct', [false, 15, false, 15]],
    [SHARED, 'pmd; cmwb=14', 'pmd; snct; cnct; cmwb=14', [false, 15, false, 14]],
    [SHARED, 'pmd; cmwb=8', 'pmd; snct; cnct; cmwb=8', [false, 15, false, 8]],
    // 7.1.2.1: what is asked for is answered, with as much or less.
    [SHARED, 'pmd; smwb=15', 'pmd; snct; cnct; smwb=15', [false, 15, false, 15]],
    [SHARED, 'pmd; smwb=9', 'pmd; snct; cnct; smwb=9', [false, 9, false, 15]],
    [SHARED, 'pmd; smwb=10; cmwb=11', 'pmd; snct; cnct; smwb=10; cmwb=11', [false, 10, false, 11]],
    // Dedicated: as the client wishes.
    [DEDICATED, 'pmd', 'pmd', [true, 15, true, 15]],
    [DEDICATED, 'pmd; snct', 'pmd; snct', [false, 15, true, 15]],
    [DEDICATED, 'pmd; cnct', 'pmd; cnct', [true, 15, false, 15]],
    [DEDICATED, 'pmd; cnct; snct', 'pmd; snct; cnct', [false, 15, false, 15]],
    [DEDICATED, 'pmd; cmwb', 'pmd', [true, 15, true, 15]],
    [DEDICATED, 'pmd; cmwb=15', 'pmd', [true, 15, true, 15]],
    [DEDICATED, 'pmd; cmwb=8', 'pmd; cmwb=8', [true, 15, true, 8]],
    [DEDICATED, 'pmd; smwb=15', 'pmd; smwb=15', [true, 15, true, 15]],
    [DEDICATED, 'pmd; smwb=14', 'pmd; smwb=14', [true, 14, true, 15]],
    // A smaller window of its own: the server says so, and asks for it where the client lets it (7.1.2.2).
    [DEDICATED_12, 'pmd', 'pmd; smwb=12', [true, 12, true, 15]],
    [DEDICATED_12, 'pmd; cmwb', 'pmd; smwb=12; cmwb=12', [true, 12, true, 12]],
    [DEDICATED_12, 'pmd; cmwb=15', 'pmd; smwb=12; cmwb=12', [true, 12, true, 12]],
    [DEDICATED_12, 'pmd; cmwb=12', 'pmd; smwb=12; cmwb=12', [true, 12, true, 12]],
    [DEDICATED_12, 'pmd; cmwb=11', 'pmd; smwb=12; cmwb=11', [true, 12, true, 11]],
    [DEDICATED_12, 'pmd; smwb=15', 'pmd; smwb=12', [true, 12, true, 15]],
    [DEDICATED_12, 'pmd; smwb=13', 'pmd; smwb=12', [true, 12, true, 15]],
    [DEDICATED_12, 'pmd; smwb=11', 'pmd; smwb=11', [true, 11, true, 15]],
    [DEDICATED_12, 'pmd; snct; cnct; smwb=9; cmwb=9', 'pmd; snct; cnct; smwb=9; cmwb=9', [false, 9, false, 9]],
    // The grammar unquotes (RFC 6455, section 9.1).
    [DEDICATED, 'pmd; smwb="10"; cmwb="1\\1"', 'pmd; smwb=10; cmwb=11', [true, 10, true, 11]],
    // What browsers offer; the RFC's examples (7.1.3).
    [SHARED, 'pmd; cmwb', 'pmd; snct; cnct', [false, 15, false, 15]],
    [DEDICATED, 'pmd; cmwb; smwb=10', 'pmd; smwb=10', [true, 10, true, 15]],
  ]
  for (const [settings, offer, response, expected] of table) {
    const result = negotiate(elements(offer), settings)
    const name = `${settings.mode} ${settings.windowBits}: ${offer}`
    t.equal(result?.response, long(response), name)
    t.strictSame(result && terms(result.agreement), expected, name)
  }
})

/** Parameters that an element may not have, in an offer or in a response. */
const MALFORMED: [parameters: string, complaint: string][] = [
  ['x', 'the parameter x is unknown'],
  ['x=1', 'the parameter x is unknown'],
  ['__proto__', 'the parameter __proto__ is unknown'],
  ['constructor', 'the parameter constructor is unknown'],
  ['SNCT', 'the parameter SNCT is unknown'],
  ['snct; x', 'the parameter x is unknown'],
  ['snct; snct', 'the parameter snct is repeated'],
  ['cnct; cnct', 'the parameter cnct is repeated'],
  ['smwb=10; smwb=10', 'the parameter smwb is repeated'],
  ['cmwb=10; cmwb=10', 'the parameter cmwb is repeated'],
  ['snct=1', 'the parameter snct has a value'],
  ['snct=true', 'the parameter snct has a value'],
  ['cnct=0', 'the parameter cnct has a value'],
  ['smwb', 'the parameter smwb has no value from 8 to 15'],
  ...['smwb', 'cmwb'].flatMap(name =>
    ['7', '16', '0', '1', '08', '010', '015', '9.0', '+9', '-9', '1e1', '0x9', '100', '155', 'x', 'true'].map(
      (value): [string, string] => [`${name}=${value}`, `the parameter ${name} has no value from 8 to 15`]
    )
  ),
]

t.test('section 7.1: an offer that can not be accepted is declined, and the next one looked at', async t => {
  const unusable = [
    ...MALFORMED.map(([parameters]) => `pmd; ${parameters}`),
    'pmd; cmwb; cmwb',
    // Of zlib's compressor (see the comment in lib).
    'pmd; smwb=8',
    'pmd; smwb=8; snct; cnct; cmwb',
    // Other extensions, and names that are only alike.
    'x-webkit-deflate-frame',
    'Permessage-Deflate',
    'permessage-deflate2',
    'pmd-x; snct',
  ]
  for (const offer of unusable) {
    for (const settings of [SHARED, DEDICATED, DEDICATED_12]) {
      t.equal(negotiate(elements(offer), settings), undefined, offer)
    }
    const next = negotiate(elements(`${offer}, pmd; cmwb=10`), DEDICATED)
    t.equal(next?.response, long('pmd; cmwb=10'), `${offer}, and another`)
  }
  t.equal(negotiate([], SHARED), undefined, 'none')
})

t.test('section 5: of several offers the first that can be accepted wins, in one line or many', async t => {
  const table: [lines: string[], response: string][] = [
    [['pmd; smwb=9, pmd; smwb=10'], 'pmd; smwb=9'],
    [['pmd; smwb=9', 'pmd; smwb=10'], 'pmd; smwb=9'],
    [['pmd; x, pmd; smwb=8', 'foo; smwb=9', 'pmd; smwb=10, pmd'], 'pmd; smwb=10'],
    [['foo, bar; baz', 'pmd'], 'pmd'],
    // Autobahn 13.7.
    [['pmd; cnct; cmwb; snct; smwb=9, pmd; cnct; cmwb; snct, pmd; cnct; cmwb'], 'pmd; snct; cnct; smwb=9'],
  ]
  for (const [lines, response] of table) {
    t.equal(negotiate(elements(...lines), DEDICATED)?.response, long(response), lines.join(' / '))
  }
})

t.test('section 7.1: what a client offers', async t => {
  const offers: [DeflateSettings, string][] = [
    [SHARED, 'pmd; snct; cnct; cmwb'],
    [DEDICATED, 'pmd; cmwb'],
    [DEDICATED_12, 'pmd; smwb=12; cmwb=12'],
    [resolveDeflateSettings({ mode: 'dedicated', windowBits: 9 }), 'pmd; smwb=9; cmwb=9'],
  ]
  for (const [settings, offer] of offers) t.equal(formatOffer(settings), long(offer))
})

t.test('section 7.1: what a response agrees to', async t => {
  const table: [settings: DeflateSettings, response: string, terms: Terms][] = [
    [SHARED, 'pmd; snct', [false, 15, false, 15]],
    [SHARED, 'pmd; snct; cnct', [false, 15, false, 15]],
    [SHARED, 'pmd; cnct; snct', [false, 15, false, 15]],
    // 7.1.2.1: a server may tell of a window that nobody asked about.
    [SHARED, 'pmd; snct; smwb=8', [false, 8, false, 15]],
    [SHARED, 'pmd; snct; smwb=15; cmwb=15', [false, 15, false, 15]],
    [SHARED, 'pmd; snct; cmwb=9', [false, 15, false, 9]],
    [SHARED, 'pmd; snct; cmwb=8', [false, 15, false, 8]],
    [DEDICATED, 'pmd', [true, 15, true, 15]],
    // 7.1.1: either may be demanded without being offered.
    [DEDICATED, 'pmd; snct', [false, 15, true, 15]],
    [DEDICATED, 'pmd; cnct', [true, 15, false, 15]],
    [DEDICATED, 'pmd; smwb=9; cmwb=10', [true, 9, true, 10]],
    [DEDICATED, 'pmd; smwb="9"; cmwb="10"', [true, 9, true, 10]],
    [DEDICATED_12, 'pmd; smwb=12', [true, 12, true, 12]],
    [DEDICATED_12, 'pmd; smwb=8', [true, 8, true, 12]],
    [DEDICATED_12, 'pmd; smwb=12; cmwb=12', [true, 12, true, 12]],
    [DEDICATED_12, 'pmd; smwb=11; cmwb=9; snct; cnct', [false, 11, false, 9]],
  ]
  for (const [settings, response, expected] of table) {
    const agreement = readAgreement(elements(response), settings)
    t.strictSame(agreement && terms(agreement), expected, `${settings.mode} ${settings.windowBits}: ${response}`)
  }
  for (const settings of [SHARED, DEDICATED, DEDICATED_12, undefined]) {
    t.equal(readAgreement([], settings), undefined, 'the server does not compress')
  }
})

t.test('section 5.1: a response that is no answer to the offer fails the handshake', async t => {
  const inResponse = "in the server's response, "
  const table: [settings: DeflateSettings | undefined, response: string, complaint: string][] = [
    [undefined, 'pmd', 'the server accepted the extension pmd, which was not offered'],
    [undefined, 'pmd, pmd', 'the server accepted the extension pmd, which was not offered'],
    [undefined, 'foo', 'the server accepted the extension foo, which was not offered'],
    [DEDICATED, 'foo', 'the server accepted the extension foo, which was not offered'],
    [DEDICATED, 'pmd, foo', 'the server accepted the extension foo, which was not offered'],
    [DEDICATED, 'foo, pmd', 'the server accepted the extension foo, which was not offered'],
    [DEDICATED, 'pmd, pmd', 'the server accepted pmd more than once'],
    [DEDICATED, 'pmd; smwb=9, pmd; smwb=9', 'the server accepted pmd more than once'],
    [DEDICATED, 'pmd, pmd, pmd', 'the server accepted pmd more than once'],
    ...MALFORMED.flatMap(([parameters, complaint]): [DeflateSettings, string, string][] => [
      [DEDICATED, `pmd; ${parameters}`, inResponse + complaint],
      [SHARED, `pmd; ${parameters}`, inResponse + complaint],
    ]),
    // 7.1.2.2: in a response it has a value.
    [DEDICATED, 'pmd; cmwb', `${inResponse}the parameter cmwb has no value from 8 to 15`],
    [DEDICATED, 'pmd; cmwb; cmwb=9', `${inResponse}the parameter cmwb is repeated`],
    // 7.1.2.1: what was asked for is accepted by being answered.
    [DEDICATED_12, 'pmd', `${inResponse}the parameter smwb is missing`],
    [DEDICATED_12, 'pmd; snct; cmwb=9', `${inResponse}the parameter smwb is missing`],
    [DEDICATED_12, 'pmd; smwb=13', `${inResponse}the parameter smwb is larger than what was offered`],
    [DEDICATED_12, 'pmd; smwb=15', `${inResponse}the parameter smwb is larger than what was offered`],
    [DEDICATED_12, 'pmd; smwb=12; cmwb=13', `${inResponse}the parameter cmwb is larger than what was offered`],
  ]
  for (const [settings, response, complaint] of table) {
    const name = `${settings?.mode} ${settings?.windowBits}: ${response}`
    const expected = { message: long(complaint), name: 'NegotiationError' }
    t.throws(() => readAgreement(elements(response), settings), expected, name)
    t.throws(() => readAgreement(elements(response), settings), NegotiationError, name)
  }
})

t.test('a server that does not promise to do without context, though it was asked to: it may have one', async t => {
  for (const response of ['pmd', 'pmd; cnct']) {
    t.match(readAgreement(elements(response), SHARED), { serverNoContextTakeover: false, clientNoContextTakeover: true }, response)
  }
  t.match(readAgreement(elements('pmd; snct'), SHARED), { serverNoContextTakeover: true, clientNoContextTakeover: true })
})

t.test('a client and a server of ours agree, whatever their settings', async t => {
  const all = [SHARED, DEDICATED, DEDICATED_12, resolveDeflateSettings({ mode: 'dedicated', windowBits: 9 })]
  for (const client of all) {
    for (const server of all) {
      const answer = negotiate(elements(formatOffer(client)), server)
      const read = readAgreement(elements(answer?.response ?? ''), client)
      t.strictSame(read, answer?.agreement, `${client.mode} ${client.windowBits}, ${server.mode} ${server.windowBits}`)
      const [serverTakeover, serverWindow, clientTakeover, clientWindow] = terms(answer?.agreement as Agreement)
      const dedicated = client.mode === 'dedicated' && server.mode === 'dedicated'
      const window = Math.min(client.windowBits, server.windowBits)
      t.strictSame([serverTakeover, serverWindow, clientTakeover, clientWindow], [dedicated, window, dedicated, window])
    }
  }
})
