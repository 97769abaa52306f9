import t from 'tap'
import { freezesFlags, mayUseInternals, usesInternals, type Host } from '../../lib/node-internals/switch.ts'

const NODE: Host = { versions: { node: '20.20.2', v8: '11.3' }, execArgv: [], env: {} }

t.test('plain Node of a listed release, and nothing else', async t => {
  for (const node of ['20.19.0', '22.1.0', '24.0.0', '26.5.1']) t.equal(mayUseInternals({ ...NODE, versions: { node } }), true, node)
  for (const node of ['18.20.0', '21.0.0', '23.11.0', '25.0.0', '27.0.0', '28.0.0-nightly', '', 'x', undefined]) {
    t.equal(mayUseInternals({ ...NODE, versions: { node } }), false, `${node}`)
  }
  for (const other of ['bun', 'deno', 'electron', 'nw']) {
    t.equal(mayUseInternals({ ...NODE, versions: { ...NODE.versions, [other]: '1.0.0' } }), false, other)
  }
})

t.test('KORE_WS_PORTABLE=1 says no', async t => {
  t.equal(mayUseInternals({ ...NODE, env: { KORE_WS_PORTABLE: '1' } }), false)
  for (const value of ['', '0', 'true']) t.equal(mayUseInternals({ ...NODE, env: { KORE_WS_PORTABLE: value } }), true, value)
  t.equal(usesInternals, mayUseInternals(process))
})

t.test('flags that must not change', async t => {
  for (const flag of ['--freeze-flags-after-init', '--freeze_flags_after_init', '--freeze-flags-after-init=true']) {
    t.equal(freezesFlags({ ...NODE, execArgv: ['--jitless', flag] }), true, flag)
    t.equal(freezesFlags({ ...NODE, env: { NODE_OPTIONS: `--no-warnings  ${flag}` } }), true, flag)
  }
  for (const flag of ['--no-freeze-flags-after-init', '--freeze-flags-after-init=false', '--frozen-intrinsics']) {
    t.equal(freezesFlags({ ...NODE, execArgv: [flag] }), false, flag)
  }
  t.equal(freezesFlags(NODE), false)
})
