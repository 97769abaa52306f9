import t from 'tap'
import { runAgainstServer } from '../../lib/conformance/against-server.ts'
import type { CaseResult } from '../../lib/conformance/result.ts'
import { selectCases, type Selection } from '../../lib/conformance/select.ts'
import { brokenServer } from './broken-servers.ts'
import type { Fault } from './raw-echo.ts'

// Can the suite fail? One server for each rule, that breaks this rule and no other: the cases that name the rule have to
// find it, and no other may.

/** All cases that are over in a moment. */
const LIGHT: Selection = { cases: ['autobahn'], exclude: ['9.*', '12.*', '13.*'] }
/** Of these some of each kind, that go with those that a fault is about. */
const OTHERS = [
  '1.1.1',
  '1.1.6',
  '1.2.3',
  '2.2',
  '2.5',
  '2.7',
  '2.10',
  '3.1',
  '3.5',
  '4.1.1',
  '4.2.3',
  '5.1',
  '5.3',
  '5.6',
  '5.9',
  '5.18',
  '6.1.2',
  '6.2.3',
  '6.3.1',
  '6.4.2',
  '6.6.*',
  '6.12.1',
  '6.20.1',
  '6.22.1',
  '7.1.*',
  '7.3.*',
  '7.5.1',
  '7.7.3',
  '7.9.2',
  '10.1.1',
]
/** Of the others some of each kind. */
const HEAVY = {
  cases: ['9.1.1', '9.2.1', '9.7.2', '9.8.3', '12.1.3', '12.2.4', '12.3.4', '12.4.4', '12.5.4', '13.*.4', '13.*.11'],
  quick: true,
}
/** Where every case fails, and takes a second to do so: one of each kind. */
const FEW: Selection = { cases: ['1.1.1', '1.1.2', '1.2.2', '2.2', '3.1', '5.3', '6.2.2', '7.1.1', '7.3.1', '7.7.1'] }

const CLOSING: Selection = { cases: ['1.*', '2.*', '5.3', '5.9', '6.2.1', '6.3.1', '7.*'] }

const ENDS_CLEANLY = ['1.*', '2.1', '2.2', '2.3', '2.4', '2.6', '2.7', '2.8', '2.9', '2.10', '2.11', '5.3', '6.2.1']

/** What is found: verdict and close, and the cases that have both. */
type Findings = readonly (readonly [verdicts: string, cases: readonly string[]])[]

function withOthers(...cases: string[]): Selection {
  return { cases: [...OTHERS, ...cases] }
}

const FAULTS: readonly (readonly [fault: Fault | undefined, selection: Selection, findings: Findings])[] = [
  [undefined, LIGHT, []],
  [undefined, HEAVY, []],
  [
    'ignores-reserved-opcodes',
    withOthers('4.*'),
    [
      ['OK FAILED', ['4.1.1', '4.1.2', '4.2.1', '4.2.2']],
      ['FAILED FAILED', ['4.1.3', '4.1.4', '4.1.5', '4.2.3', '4.2.4', '4.2.5']],
    ],
  ],
  // A close frame with reserved bits is answered all the same, and that ends the connection too.
  ['ignores-reserved-bits', withOthers('3.*'), [['FAILED FAILED', ['3.1', '3.2', '3.3', '3.4', '3.5', '3.6']]]],
  [
    'takes-invalid-text',
    withOthers('6.*'),
    [
      [
        'FAILED FAILED',
        [
          '6.3.*',
          '6.4.*',
          '6.6.1',
          '6.6.3',
          '6.6.4',
          '6.6.6',
          '6.6.8',
          '6.6.10',
          '6.8.*',
          '6.10.*',
          '6.11.5',
          '6.12.*',
          '6.13.*',
          '6.14.*',
          '6.15.*',
          '6.16.*',
          '6.17.*',
          '6.18.*',
          '6.19.*',
          '6.20.*',
          '6.21.*',
        ],
      ],
    ],
  ],
  ['finds-invalid-text-late', withOthers('6.3.*', '6.4.*'), [['NON-STRICT OK', ['6.4.*']]]],
  [
    'drops-stray-continuations',
    withOthers('5.*'),
    [['FAILED FAILED', ['5.9', '5.10', '5.11', '5.12', '5.13', '5.14', '5.15', '5.16', '5.17']]],
  ],
  ['takes-messages-inside-messages', withOthers('5.*'), [['FAILED FAILED', ['5.18']]]],
  [
    'never-pongs',
    withOthers('2.*', '5.*'),
    [['FAILED OK', ['2.1', '2.2', '2.3', '2.4', '2.6', '2.9', '2.10', '2.11', '5.6', '5.7', '5.8', '5.19', '5.20']]],
  ],
  [
    'pongs-without-payload',
    withOthers('2.*', '5.*'),
    [['FAILED OK', ['2.2', '2.3', '2.4', '2.6', '2.9', '2.10', '2.11', '5.6', '5.7', '5.8', '5.19', '5.20']]],
  ],
  [
    'takes-fragmented-controls',
    withOthers('5.*'),
    [
      ['FAILED FAILED', ['5.1']],
      ['OK FAILED', ['5.2']],
    ],
  ],
  [
    'takes-long-controls',
    withOthers('2.*', '7.*'),
    [
      ['OK FAILED', ['2.5']],
      ['FAILED WRONG CODE', ['7.3.6']],
    ],
  ],
  ['takes-any-close-code', withOthers('7.*'), [['FAILED WRONG CODE', ['7.9.*']]]],
  ['takes-any-close-reason', withOthers('7.*'), [['FAILED WRONG CODE', ['7.5.1']]]],
  ['takes-half-a-close-code', withOthers('7.*'), [['FAILED WRONG CODE', ['7.3.2']]]],
  ['echoes-behind-its-close-frame', withOthers('7.*'), [['FAILED OK', ['7.1.3', '7.1.4', '7.1.5']]]],
  [
    'answers-close-with-1011',
    CLOSING,
    [
      ['OK WRONG CODE', ENDS_CLEANLY],
      // 1011 is what case 7.7.9 closes with itself.
      [
        'FAILED WRONG CODE',
        [
          '7.1.1',
          '7.1.2',
          '7.1.3',
          '7.1.4',
          '7.1.5',
          '7.3.1',
          '7.3.3',
          '7.3.4',
          '7.3.5',
          '7.7.1',
          '7.7.2',
          '7.7.3',
          '7.7.4',
          '7.7.5',
          '7.7.6',
          '7.7.7',
          '7.7.8',
          '7.7.10',
          '7.7.11',
          '7.7.12',
          '7.7.13',
        ],
      ],
    ],
  ],
  [
    'drops-tcp-on-close',
    CLOSING,
    [
      [
        'OK UNCLEAN',
        [...ENDS_CLEANLY, '7.1.1', '7.1.2', '7.1.3', '7.1.4', '7.1.5', '7.3.1', '7.3.3', '7.3.4', '7.3.5', '7.7.*'],
      ],
    ],
  ],
  [
    'keeps-tcp-after-close',
    FEW,
    [
      ['OK UNCLEAN', ['1.1.1', '1.1.2', '1.2.2', '2.2', '5.3', '6.2.2', '7.1.1', '7.3.1', '7.7.1']],
      ['OK FAILED BY CLIENT', ['3.1']],
    ],
  ],
  // The tester gives up after a second: with 1001 where it fails the connection, and gets that code back.
  [
    'echoes-text-as-binary',
    FEW,
    [
      ['FAILED WRONG CODE', ['1.1.1', '1.1.2', '7.1.1']],
      ['FAILED OK', ['5.3', '6.2.2']],
    ],
  ],
  [
    'loses-the-last-byte',
    FEW,
    [
      ['FAILED WRONG CODE', ['1.1.2', '1.2.2', '7.1.1']],
      ['FAILED OK', ['5.3', '6.2.2']],
    ],
  ],
  ...(['masks-its-frames', 'writes-long-lengths'] as const).map((fault): (typeof FAULTS)[number] => [
    fault,
    FEW,
    [
      ['FAILED UNCLEAN', ['1.1.1', '1.1.2', '1.2.2', '2.2', '5.3', '6.2.2', '7.1.1']],
      ['OK UNCLEAN', ['7.3.1', '7.7.1']],
      ['OK FAILED', ['3.1']],
    ],
  ]),
  [
    'keeps-its-context',
    HEAVY,
    [['FAILED OK', ['13.2.4', '13.2.11', '13.5.4', '13.5.11', '13.6.4', '13.6.11', '13.7.4', '13.7.11']]],
  ],
  [
    'forgets-the-other-context',
    HEAVY,
    [['FAILED FAILED', ['12.1.3', '12.2.4', '12.3.4', '12.4.4', '12.5.4', '13.*.4', '13.*.11']]],
  ],
  ['uses-a-large-window', HEAVY, [['FAILED OK', ['13.3.4', '13.3.11', '13.5.4', '13.5.11', '13.7.4', '13.7.11']]]],
  // Of the three offers of 13.7, one asks for no window.
  ['grants-a-larger-window', HEAVY, [['FAILED FAILED', ['13.3.4', '13.3.11', '13.5.4', '13.5.11']]]],
  // As text, what was meant as compressed is no UTF-8, and the tester fails the connection.
  [
    'forgets-rsv1',
    HEAVY,
    [
      ['FAILED OK', ['12.2.4', '12.3.4', '12.5.4']],
      ['FAILED WRONG CODE', ['12.1.3', '12.4.4', '13.*.4', '13.*.11']],
    ],
  ],
  [
    'names-unknown-parameters',
    HEAVY,
    [['FAILED FAILED', ['12.1.3', '12.2.4', '12.3.4', '12.4.4', '12.5.4', '13.*.4', '13.*.11']]],
  ],
]

/** The verdicts of all cases in a list, as lines: those expected, where no other is named, are OK. */
function expectedOf(selection: Selection, findings: Findings): string[] {
  const found = new Map(findings.flatMap(([verdicts, cases]) => selectCases({ cases }, 'server').map(({ id }) => [id, verdicts])))
  return selectCases(selection, 'server').map(({ id, ...more }) => {
    const fallback = 'informational' in more && more.informational ? 'INFORMATIONAL INFORMATIONAL' : 'OK OK'
    return `${id} ${found.get(id) ?? fallback}`
  })
}

function lineOf({ id, behavior, behaviorClose }: CaseResult): string {
  return `${id} ${behavior} ${behaviorClose}`
}

// Most of their time they wait; but more of them would be too much work within the cases' time limits.
t.jobs = 6
for (const [fault, selection, findings] of FAULTS) {
  t.test(fault ?? 'a server without a fault', async t => {
    const server = await brokenServer(fault)
    t.teardown(() => server.close())
    const results = await runAgainstServer(server.url, selection)
    t.strictSame(results.list().map(lineOf), expectedOf(selection, findings))
  })
}
