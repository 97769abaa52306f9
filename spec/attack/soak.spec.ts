import t from 'tap'

// What the soak judges with: whether it finds a message that is missing, one too many, an end too few, and growth.

interface Account {
  readonly id: number
  readonly sent?: number
  readonly received?: number
  readonly code?: number
  readonly reason?: string
  readonly failed?: string
}

interface Ledger {
  add(side: 'server' | 'client', records: Account[]): void
  readonly faults: string[]
  readonly open: number
  readonly counts: Record<'connections' | 'clean' | 'dropped' | 'sent' | 'received' | 'lost', number>
  readonly reasons: Map<string, number>
  readonly failures: Map<string, number>
}

interface Modules {
  Ledger: new () => Ledger
  slopeOf(points: [number, number][]): number
  median(values: number[]): number
}

const names = ['./soak/ledger.js', './soak/statistics.js']
const modules = (await Promise.all(names.map(name => import(name)))) as Partial<Modules>[]
const { Ledger, slopeOf, median } = Object.assign({}, ...modules) as Modules

function account(sent: number, received: number, code = 1000, reason = ''): Account {
  return { id: 1, sent, received, code, reason }
}

/** Both sides' accounts of one connection, in either order. */
function faultsOf(server: Account, client: Account): string[] {
  const [one, other] = [new Ledger(), new Ledger()]
  one.add('server', [server])
  one.add('client', [client])
  other.add('client', [client])
  other.add('server', [server])
  t.strictSame(one.faults, other.faults)
  t.strictSame(one.counts, other.counts)
  t.equal(one.open, 0)
  return one.faults
}

t.test('what was accepted has come, or the connection was dropped', async t => {
  t.strictSame(faultsOf(account(3, 2), account(2, 3)), [])
  t.strictSame(faultsOf(account(3, 2, 1006), account(4, 1, 1006)), [], 'lost, and told')
  t.strictSame(faultsOf(account(3, 2), account(4, 3, 1006)), [], 'told to one side')
  t.match(faultsOf(account(3, 2), account(2, 2)), [/^3 messages to .* were accepted, 2 came/])
  t.match(faultsOf(account(3, 2), account(3, 3)), [/^3 messages from .* were accepted, 2 came/])
  t.match(
    faultsOf(account(3, 2, 1006), account(2, 4, 1006)),
    [/^3 messages to .* were accepted, 4 came/],
    'more than there were'
  )
})

t.test('what it counts', async t => {
  const ledger = new Ledger()
  ledger.add('server', [account(5, 4, 1006, 'slow-consumer'), { ...account(1, 1), id: 2 }])
  t.equal(ledger.open, 2)
  ledger.add('client', [account(4, 3, 1006), { ...account(1, 1), id: 2 }])
  t.strictSame(ledger.counts, { connections: 2, clean: 1, dropped: 1, sent: 11, received: 9, lost: 2 })
  t.strictSame([...ledger.reasons], [['slow-consumer', 1]])
})

t.test('an end is told by each side once', async t => {
  const ledger = new Ledger()
  ledger.add('server', [account(0, 0), account(0, 0)])
  t.strictSame(ledger.faults, ['connection 1 was closed twice on the server'])
  t.equal(ledger.open, 1, 'and the client has not told')
})

t.test('a handshake that failed is over, whether or not the server knew of it', async t => {
  const ledger = new Ledger()
  ledger.add('client', [
    { id: 1, failed: 'timeout' },
    { id: 2, failed: 'timeout' },
  ])
  t.equal(ledger.open, 0)
  ledger.add('server', [account(3, 0, 1006)])
  t.strictSame(ledger.faults, [])
  t.equal(ledger.counts.lost, 3)
  t.strictSame([...ledger.failures], [['timeout', 2]])
})

t.test('growth is found, and outliers are not taken for it', async t => {
  const series = (height: (x: number) => number): [number, number][] =>
    Array.from({ length: 50 }, (_, x) => [x, height(x)])
  t.equal(slopeOf(series(x => 100 + 2 * x)), 2)
  t.equal(slopeOf(series(() => 100)), 0)
  t.equal(slopeOf(series(x => (x % 10 === 0 ? 900 : 100))), 0)
  t.ok(Math.abs(slopeOf(series(x => 100 + 2 * x + (x % 2 === 0 ? 5 : -5))) - 2) < 0.3)
  t.equal(slopeOf(series(x => -x)), -1)
  t.strictSame([median([3, 1, 2]), median([4, 1, 3, 2])], [2, 2.5])
})
