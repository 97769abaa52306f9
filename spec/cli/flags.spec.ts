import t from 'tap'
import { describeFlags, HELP, readFlags, UsageError, type Flags } from '../../lib/cli/flags.ts'

const FLAGS: Flags = {
  port: { value: 'PORT', help: 'the port', range: [0, 65535], fallback: 8080 },
  host: { value: 'HOST', help: 'the address', fallback: 'localhost' },
  size: { value: 'BYTES', help: 'the size', range: [1, 10] },
  mode: { value: 'MODE', help: 'one of two', choices: ['on', 'off'], fallback: 'off' },
}

t.test('without flags every value is its default, or undefined', async t => {
  t.same(readFlags(FLAGS, []), { port: 8080, host: 'localhost', size: undefined, mode: 'off' })
})

t.test('values are read with and without an equals sign', async t => {
  t.same(readFlags(FLAGS, ['--port', '0', '--host=::1', '--size=10', '--mode', 'on']), { port: 0, host: '::1', size: 10, mode: 'on' })
})

t.test('--help and -h ask for help', async t => {
  for (const flag of ['--help', '-h']) t.equal(readFlags(FLAGS, [flag]), HELP)
})

t.test('a wrong command line is one sentence that names the flag', async t => {
  const wrong: [parameters: string[], sentence: RegExp][] = [
    [['--prot', '1'], /^There is no flag --prot, but --port; --help lists them\.$/],
    [['--whatever'], /^There is no flag --whatever; --help lists them\.$/],
    [['--hepl'], /^There is no flag --hepl, but --help; --help lists them\.$/],
    [['-p', '1'], /^There is no flag -p; --help lists them\.$/],
    [['--port'], /^--port needs a value, as in --port=PORT\.$/],
    [['--port', '--host', 'a'], /^--port needs a value, as in --port=PORT\.$/],
    [['--help=5'], /^--help takes no value\.$/],
    [['--port', 'x'], /^--port takes a whole number from 0 to 65535, and not "x"\.$/],
    [['--port', '65536'], /--port takes .* not "65536"/],
    [['--port', '-1'], /^--port needs a value, as in --port=PORT\.$/],
    [['--port=-1'], /not "-1"/],
    [['--port', '1.5'], /not "1\.5"/],
    [['--port', '1e3'], /not "1e3"/],
    [['--port='], /not ""/],
    [['--size', '0'], /--size takes a whole number from 1 to 10, and not "0"/],
    [['--mode', 'of'], /^--mode takes on or off, and not "of"\.$/],
    [['--mode='], /--mode takes on or off, and not ""/],
    [['stray'], /^"stray" is no flag; --help lists them\.$/],
  ]
  for (const [parameters, sentence] of wrong) {
    t.throws(() => readFlags(FLAGS, parameters), UsageError, parameters.join(' '))
    t.throws(() => readFlags(FLAGS, parameters), { message: sentence }, parameters.join(' '))
  }
})

t.test('the help has a line for each flag, with its default', async t => {
  const lines = describeFlags(FLAGS).split('\n')
  t.same(lines, [
    '  --port PORT   the port (default 8080)',
    '  --host HOST   the address (default localhost)',
    '  --size BYTES  the size',
    '  --mode MODE   one of two (default off)',
    '',
  ])
})

const SWITCH: Flags = { ...FLAGS, quick: { help: 'less of it' } }
const OPERAND = { name: 'url', help: 'where to' }

t.test('a switch is on or not there, and has no value', async t => {
  t.same(readFlags(SWITCH, []), { port: 8080, host: 'localhost', mode: 'off', size: undefined, quick: undefined })
  t.same(readFlags(SWITCH, ['--quick', '--port=1']), { port: 1, host: 'localhost', mode: 'off', size: undefined, quick: true })
  t.throws(() => readFlags(SWITCH, ['--quick=yes']), { name: 'UsageError', message: '--quick takes no value.' })
  t.match(describeFlags(SWITCH), /\n {2}--quick {7}less of it\n/)
})

t.test('one word without a name, where the command takes one', async t => {
  t.match(readFlags(FLAGS, ['--port', '1', 'ws://x'], OPERAND), { port: 1, url: 'ws://x' })
  t.match(readFlags(FLAGS, [], OPERAND), { url: undefined })
  t.throws(() => readFlags(FLAGS, ['a', 'b'], OPERAND), { name: 'UsageError', message: 'There is one URL too many: "b".' })
  t.equal(describeFlags(FLAGS, OPERAND).split('\n')[0], '  URL           where to')
})
