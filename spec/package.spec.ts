import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

// The package as users get it: packed, installed in an empty folder, used from there. `npm test` has built dist.

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
const NPM_ENV = { ...process.env, NODE_OPTIONS: '', npm_config_offline: 'true', npm_config_audit: 'false' }
const MAX_SIZE = 450_000

interface Packed {
  readonly filename: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

t.test('the packed tarball', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'kore-ws-package-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const node = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, args, { cwd: folder, env: NPM_ENV })).stdout.trim()

  const packing = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const { stdout } = await run('npm', packing, { cwd: root, env: NPM_ENV })
  const [packed] = JSON.parse(stdout) as [Packed]
  const paths = packed.files.map(file => file.path)
  const tarball = join(folder, packed.filename)

  t.test('holds dist, README, LICENSE and CHANGELOG, under 450 kB', async t => {
    t.ok((await stat(tarball)).size < MAX_SIZE, `${packed.size} bytes`)
    const others = paths.filter(path => !path.startsWith('dist/'))
    t.same(others.sort(), ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    for (const entry of ['index', 'kore', 'protocol/index']) {
      for (const suffix of ['js', 'd.ts']) t.ok(paths.includes(`dist/${entry}.${suffix}`), `${entry}.${suffix}`)
    }
    for (const name of ['index.js', 'index.d.ts', 'report/page.html']) t.ok(paths.includes(`dist/conformance/${name}`), name)
  })

  await writeFile(join(folder, 'package.json'), '{ "private": true }')
  await run('npm', ['install', tarball], { cwd: folder, env: NPM_ENV })

  t.test('gives its command to npx', async t => {
    const { stdout: version } = await run('npx', ['kore-ws', '--version'], { cwd: folder, env: NPM_ENV })
    t.match(version.trim(), /^\d+\.\d+\.\d+$/)
  })

  const printKinds = (from: string): string =>
    `console.log(typeof ${from}[0].WebSocketServer, typeof ${from}[1].kore_websocket_handshake, typeof ${from}[2].Endpoint, typeof ${from}[3].runAgainstServer)`
  const names = "['kore-ws', 'kore-ws/kore', 'kore-ws/protocol', 'kore-ws/conformance']"

  t.test('is imported by ES modules', async t => {
    const source = `const m = await Promise.all(${names}.map(name => import(name))); ${printKinds('m')}`
    t.equal(await node('--input-type=module', '-e', source), 'function function function function')
  })

  t.test('is required by CommonJS, where Node can require ES modules', async t => {
    const source = `const m = ${names}.map(name => require(name)); ${printKinds('m')}`
    t.equal(await node('--input-type=commonjs', '-e', source), 'function function function function')
  })

  t.test('has types for every entry point, under the strictest settings', async t => {
    const source = `
      import { connect, HandshakeError, reconnecting, refuse, WebSocket, WebSocketServer, type Connection } from 'kore-ws'
      import { kore_websocket_send, WEBSOCKET_OP_TEXT, type KoreConnection } from 'kore-ws/kore'
      import { Endpoint, BufferedOutput, type EndpointSink } from 'kore-ws/protocol'
      import { runAgainstServer, serveCases, type Results } from 'kore-ws/conformance'
      export const server = new WebSocketServer<{ user: string }>({
        accept: request => (request.headers.cookie === undefined ? refuse(401) : { data: { user: 'x' } }),
        message(socket, data) { const sent: boolean = socket.send(data); void [sent, socket.data.user] },
      })
      export const greet = (c: KoreConnection): boolean => kore_websocket_send(c, WEBSOCKET_OP_TEXT, 'hello')
      export const make = (sink: EndpointSink): Endpoint => new Endpoint(sink, new BufferedOutput(), { role: 'client' })
      export async function all(socket: Connection): Promise<number> {
        let total = 0
        for await (const message of socket) total += message.length
        return total
      }
      export async function read(url: string): Promise<number | undefined> {
        try {
          return await all(await connect(url, { headers: { cookie: 'a=b' }, tls: { ca: 'x' }, proxy: { url: 'http://a' } }))
        } catch (error) {
          return error instanceof HandshakeError ? error.status : undefined
        }
      }
      export async function readAgain(url: URL): Promise<void> {
        for await (const socket of reconnecting(url, { error: (socket, error) => void [socket?.send('a'), error] })) await all(socket)
      }
      export const browserLike = new WebSocket('ws://a', ['chat'])
      browserLike.onmessage = ({ data }) => browserLike.send(data)
      browserLike.addEventListener('close', ({ code, wasClean }) => void [code.toFixed(), wasClean])
      const state: 0 | 1 | 2 | 3 = browserLike.readyState === WebSocket.OPEN ? browserLike.OPEN : 0
      void state
      export const test = (): Promise<Results> => runAgainstServer('ws://localhost', { cases: ['1.*'], quick: true })
      export const serve = async (): Promise<string> => (await serveCases({ port: 0 })).url
      // @ts-expect-error: there is no such option
      new WebSocketServer({ opne() {} })
      // @ts-expect-error: there is no such option
      void connect('ws://a', { maxPayload: 5 })
    `
    await writeFile(join(folder, 'use.mts'), source)
    const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext', '--target', 'es2022']
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
    await t.resolves(node(join(root, 'node_modules/typescript/lib/tsc.js'), ...flags, ...types, 'use.mts'))
  })

  const compiler = join(root, 'node_modules/typescript/lib/tsc.js')
  const roots = ['--typeRoots', join(root, 'node_modules/@types')]
  const strict = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022', ...roots]

  // One run of the compiler for both: each takes seconds on a busy machine.
  await writeFile(
    join(folder, 'bare.mts'),
    `
      import { connect, WebSocketServer, type Payload } from 'kore-ws'
      import { kore_attach } from 'kore-ws/kore'
      import { Endpoint } from 'kore-ws/protocol'
      import { serveCases } from 'kore-ws/conformance'
      const socket = await connect('ws://a')
      // @ts-expect-error
      socket.send({ a: 1 })
      // @ts-expect-error
      const payload: Payload = 5
      // @ts-expect-error
      new WebSocketServer({ accept(request) { request.raw.nonsense } })
      // @ts-expect-error
      new WebSocketServer().attach('nonsense')
      // @ts-expect-error
      new WebSocketServer().upgrade(1, 2, 3)
      // @ts-expect-error
      await socket.sendStream(5)
      // @ts-expect-error
      new WebSocketServer({ pong(_, data) { data.nonsense } })
      // @ts-expect-error
      kore_attach('nonsense', {})
      declare const endpoint: Endpoint
      // @ts-expect-error
      endpoint.ping('nonsense', {})
      // @ts-expect-error
      void serveCases({ port: 'nonsense' })
    `
  )

  t.test("finds each mistake where a project names no types, Node's are kept; and wants data where its type has no undefined", async t => {
    const source = `
      import { refuse, WebSocketServer } from 'kore-ws'
      type User = { user: string }
      new WebSocketServer({ accept: ({ path }) => ({ data: { user: path } }), open({ data }) { const user: string = data.user; void user } })
      new WebSocketServer<User>({ accept: ({ path }) => (path === '/' ? refuse(401) : { data: { user: 'ann' } }) })
      new WebSocketServer<User>({ async accept() { return { data: { user: 'ann' } } }, message({ data }, text) { void [data.user, text.length] } })
      new WebSocketServer<User | undefined>({})
      new WebSocketServer<User | undefined>({ accept: ({ path }) => (path === '/' ? undefined : { data: { user: 'ann' } }) })
      new WebSocketServer({ accept({ path }) { if (path === '/') return refuse(401) } })
      new WebSocketServer({ message(socket, text) { socket.send(text) } })
      new WebSocketServer()
      // @ts-expect-error
      new WebSocketServer<User>({})
      // @ts-expect-error
      new WebSocketServer<User>()
      // @ts-expect-error
      new WebSocketServer<User>({ accept: () => undefined })
      // @ts-expect-error
      new WebSocketServer<User>({ accept: () => ({}) })
      // @ts-expect-error
      new WebSocketServer<User>({ accept: () => ({ data: { user: 5 } }) })
      // @ts-expect-error
      new WebSocketServer<User>({ accept: ({ path }) => (path === '/' ? undefined : { data: { user: 'ann' } }) })
      // @ts-expect-error
      new WebSocketServer({ accept: () => ({ user: 'ann' }) })
    `
    await writeFile(join(folder, 'data.mts'), source)
    await t.resolves(node(compiler, ...strict, 'bare.mts', 'data.mts'))
  })

  t.test("has a class that can take the place of lib.dom's, and of Node's own", async t => {
    const source = `
      import { WebSocket as Ours } from 'kore-ws'
      globalThis.WebSocket = Ours
      const socket = new Ours('ws://a')
      const onMessage = (event: MessageEvent) => void event.data
      socket.addEventListener('message', onMessage)
      socket.removeEventListener('message', onMessage)
      socket.onmessage = function ({ data }) { this.send(data) }
      socket.onclose = ({ code }) => void code.toFixed()
      socket.onerror = ({ message }) => void message.length
      const taken: InstanceType<typeof globalThis.WebSocket> = socket
      export { taken }
    `
    await writeFile(join(folder, 'class.mts'), source)
    for (const lib of ['es2023', 'es2023,dom']) await t.resolves(node(compiler, ...strict, '--lib', lib, 'class.mts'), lib)
  })
})
