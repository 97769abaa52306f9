/**
 * The rules about the sources as a whole: layers, imports, syntax, and specs that mirror lib. Each rule is a function
 * from the sources to complaints: none about this project, and those expected about small trees made up to break it.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import ts from 'typescript'

/** Paths, from the project's folder on, to texts. */
type Tree = Readonly<Record<string, string>>
type Rule = (tree: Tree) => string[]

/** Folders and top-level files of lib, from the left to the right: a file imports from its own layer and the left. */
const LAYERS = [
  ['protocol'],
  ['foreign-names.ts'],
  ['node-internals'],
  ['deflate'],
  ['handshake'],
  ['limits.ts', 'diagnostics.ts', 'metrics.ts'],
  ['transport'],
  ['broadcast'],
  ['server-options.ts', 'server.ts', 'client-options.ts', 'client.ts'],
  ['websocket.ts', 'websocket', 'reconnecting.ts', 'kore.ts', 'kore'],
  ['index.ts'],
  ['conformance'],
  ['cli'],
]
const PURE = /^lib\/(protocol\/|handshake\/|deflate\/negotiation)/
const IMPURE_MODULE = /^node:(net|tls|http.*|timers.*)$/
const IMPURE_NAME = /^(Promise|PromiseLike|setTimeout|setInterval|setImmediate|nextTick|queueMicrotask)$/
const DEV_DEPENDENCIES = ['@types/node', 'tap', 'typescript']
const BUNDLED = ['bundleDependencies', 'bundledDependencies']
const DEPENDENCIES = ['dependencies', 'optionalDependencies', 'peerDependencies', ...BUNDLED]
const MAX_LINES = 400
/** Constants, and the error for wrong options. */
const SHARED_WITH_TESTER = ['opcode', 'close-code', 'misuse-error', 'plain-object'].map(name => `lib/protocol/${name}.ts`)

const nodesByText = new Map<string, ts.Node[]>()

/** Every node of a source's syntax tree; comments are none. */
function nodesOf(text: string): ts.Node[] {
  const known = nodesByText.get(text)
  if (known !== undefined) return known
  const nodes: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    nodes.push(node)
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest))
  nodesByText.set(text, nodes)
  return nodes
}

/** What a node imports, in any of the ways there are; undefined for other nodes. */
function importOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isExternalModuleReference(node)) return node.expression
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument
  if (!ts.isCallExpression(node)) return undefined
  const { expression: callee } = node
  const imports = callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
  return imports ? node.arguments[0] : undefined
}

/** The names of the modules that a source imports. */
function importsOf(text: string): string[] {
  const targets = nodesOf(text).map(importOf).filter(node => node !== undefined)
  return targets.map(node => (ts.isStringLiteralLike(node) ? node.text : '(a computed name)'))
}

/** Path and text of each source in lib. */
function sourcesOf(tree: Tree): [path: string, text: string][] {
  return Object.entries(tree).filter(([path]) => path.startsWith('lib/'))
}

/** The files that a source imports by relative names. */
function filesImported(path: string, text: string): string[] {
  const relative = importsOf(text).filter(name => name.startsWith('.'))
  return relative.map(name => posix.join(posix.dirname(path), name))
}

/** Its place in LAYERS; -1 where it has none. */
function layerOf(path: string): number {
  return LAYERS.findIndex(layer => layer.includes(path.split('/')[1] ?? ''))
}

const layering: Rule = tree =>
  sourcesOf(tree).flatMap(([path, text]) => {
    if (layerOf(path) < 0) return [`${path} has no layer`]
    const wrong = filesImported(path, text).filter(file => layerOf(file) > layerOf(path))
    return wrong.map(file => `${path} imports ${file}`)
  })

const purity: Rule = tree =>
  sourcesOf(tree).flatMap(([path, text]) => {
    if (!PURE.test(path)) return []
    const modules = importsOf(text).filter(name => IMPURE_MODULE.test(name))
    const names = nodesOf(text).flatMap(node => {
      if (ts.isIdentifier(node)) return IMPURE_NAME.test(node.text) ? [node.text] : []
      if (node.kind === ts.SyntaxKind.AsyncKeyword) return ['async']
      return ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AwaitKeyword ? ['await'] : []
    })
    return [...modules, ...names].map(name => `${path} has ${name}`)
  })

/** The tester has its own frames and handshakes: what it tests must not be what it tests with. */
const apart: Rule = tree =>
  sourcesOf(tree).flatMap(([path, text]) => {
    if (!path.startsWith('lib/conformance/')) return []
    const shared = filesImported(path, text).filter(file => !file.startsWith('lib/conformance/'))
    return shared.filter(file => !SHARED_WITH_TESTER.includes(file)).map(file => `${path} imports ${file}`)
  })

const acyclic: Rule = tree => {
  const imports = new Map(sourcesOf(tree).map(([path, text]) => [path, filesImported(path, text)]))
  const reaches = (from: string, wanted: string, seen = new Set<string>()): boolean =>
    (imports.get(from) ?? []).some(file => {
      if (file === wanted) return true
      if (seen.has(file)) return false
      return reaches(file, wanted, seen.add(file))
    })
  return [...imports.keys()].filter(path => reaches(path, path)).map(path => `${path} imports itself in the end`)
}

const resolvable: Rule = tree =>
  sourcesOf(tree).flatMap(([path, text]) => {
    const wrong = importsOf(text).filter(name => {
      if (name.startsWith('node:')) return false
      const file = posix.join(posix.dirname(path), name)
      return !/^\.\.?\/.*\.ts$/.test(name) || !file.startsWith('lib/') || !(file in tree)
    })
    return wrong.map(name => `${path} imports ${name}`)
  })

const erasable: Rule = tree =>
  sourcesOf(tree).flatMap(([path, text]) => {
    const nodes = nodesOf(text).flatMap(node => {
      if (ts.isEnumDeclaration(node)) return ['an enum']
      if (ts.isModuleDeclaration(node)) return ['a namespace']
      if (ts.isParameter(node) && node.modifiers?.some(ts.isModifier)) return ['a parameter property']
      if (ts.isImportEqualsDeclaration(node)) return ['import =']
      if (ts.isExportAssignment(node) && node.isExportEquals) return ['export =']
      if (ts.isTypeAssertionExpression(node)) return ['a type in angle brackets']
      return node.kind === ts.SyntaxKind.AnyKeyword ? ['any'] : []
    })
    const silenced = text.match(/@ts-(ignore|expect-error|nocheck)/g) ?? []
    return [...nodes, ...silenced].map(what => `${path} has ${what}`)
  })

/** V8's code cache gives private static methods the wrong class (see compile-cache.spec.ts). */
const cacheable: Rule = tree =>
  sourcesOf(tree).flatMap(([path, text]) =>
    nodesOf(text)
      .filter(ts.isMethodDeclaration)
      .filter(({ name, modifiers }) => ts.isPrivateIdentifier(name) && modifiers?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword))
      .map(() => `${path} has a private static method`)
  )

/** What is in front of a shebang is no line of the source. */
function withoutShebang(text: string): string {
  return text.replace(/^#!.*\n/, '')
}

const explained: Rule = tree =>
  sourcesOf(tree)
    .filter(([, text]) => !/^\/[*/]/.test(withoutShebang(text)))
    .map(([path]) => `${path} does not open with a comment`)

const short: Rule = tree =>
  sourcesOf(tree).flatMap(([path, text]) => {
    const lines = text.replace(/\n$/, '').split('\n').length
    const [first = ''] = withoutShebang(text).replace(/^\/\*\*\n/, '').split('\n')
    return lines > MAX_LINES && !/\w.*\(hence the length\)/.test(first) ? [`${path} has ${lines} lines`] : []
  })

const mirrored: Rule = tree =>
  Object.keys(tree).flatMap(path => {
    const lib = path.replace(/^spec\/((protocol|deflate|handshake|transport|broadcast)\/.*)\.spec\.ts$/, 'lib/$1.ts')
    const spec = path.replace(/^lib\/((protocol|deflate|handshake)\/.*)\.ts$/, 'spec/$1.spec.ts')
    if (!(lib in tree)) return [`${path} is the spec of no file`]
    return spec in tree || posix.basename(path) === 'index.ts' ? [] : [`${path} has no spec`]
  })

const independent: Rule = tree => {
  const manifest = JSON.parse(tree['package.json'] ?? '{}') as Record<string, object | undefined>
  const runtime = DEPENDENCIES.filter(key => Object.keys(manifest[key] ?? {}).length > 0)
  const development = Object.keys(manifest['devDependencies'] ?? {}).sort()
  const exact = development.join() === DEV_DEPENDENCIES.join()
  return [...runtime, ...(exact ? [] : [`devDependencies: ${development.join()}`])]
}

/** The sources in a folder of the project. */
function readTree(folder: string): Record<string, string> {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const tree: Record<string, string> = {}
  const read = (path: string): void => {
    if (statSync(root + path).isFile()) {
      if (path.endsWith('.ts')) tree[path] = readFileSync(root + path, 'utf8')
      return
    }
    const names = readdirSync(root + path).filter(name => name !== 'node_modules')
    for (const name of names) read(`${path}/${name}`)
  }
  read(folder)
  return tree
}

const MANIFEST = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
const PROJECT: Tree = { ...readTree('lib'), ...readTree('spec'), 'package.json': MANIFEST }

/** The rule has exactly these complaints about each tree, and none about this project. */
function holds(t: Test, rule: Rule, trees: readonly [tree: Tree, complaints: string[]][]): void {
  for (const [tree, complaints] of trees) t.strictSame(rule(tree), complaints, JSON.stringify(tree).slice(0, 100))
  t.strictSame(rule(PROJECT), [], 'this project')
}

/** A tree of one file in lib, and what a rule says after the file's name. */
function file(path: string, text: string, ...complaints: string[]): [Tree, string[]] {
  return [{ [path]: text }, complaints.map(complaint => `${path} ${complaint}`)]
}

t.test('the sources are found', async t => {
  for (const path of ['lib/protocol/endpoint.ts', 'lib/handshake/request.ts', 'spec/architecture.spec.ts']) {
    t.type(PROJECT[path], 'string', path)
  }
  t.ok(Object.keys(PROJECT).length > 40)
})

t.test('a file imports from its own layer and from the left', async t => {
  holds(t, layering, [
    file('lib/protocol/a.ts', "import './b.ts'"),
    file('lib/protocol/a.ts', "import '../deflate/b.ts'", 'imports lib/deflate/b.ts'),
    file('lib/protocol/a.ts', "import '../handshake/b.ts'", 'imports lib/handshake/b.ts'),
    file('lib/deflate/a.ts', "import '../handshake/b.ts'", 'imports lib/handshake/b.ts'),
    file('lib/handshake/a.ts', "import '../protocol/b.ts'; import '../deflate/b.ts'"),
    file('lib/handshake/a.ts', "import '../transport/b.ts'", 'imports lib/transport/b.ts'),
    file('lib/handshake/a.ts', "import '../limits.ts'", 'imports lib/limits.ts'),
    file('lib/handshake/deep/a.ts', "import '../../diagnostics.ts'", 'imports lib/diagnostics.ts'),
    file('lib/limits.ts', "import './protocol/a.ts'; import './handshake/a.ts'"),
    file('lib/limits.ts', "import './transport/a.ts'", 'imports lib/transport/a.ts'),
    file('lib/transport/a.ts', "import '../limits.ts'; import '../diagnostics.ts'; import '../handshake/b.ts'"),
    file('lib/transport/a.ts', "import '../broadcast/b.ts'", 'imports lib/broadcast/b.ts'),
    file('lib/transport/a.ts', "export * from '../server.ts'", 'imports lib/server.ts'),
    file('lib/broadcast/a.ts', "import type { B } from '../client.ts'", 'imports lib/client.ts'),
    file('lib/server.ts', "import './broadcast/a.ts'; import './client.ts'; import './limits.ts'"),
    file('lib/server.ts', "import './kore.ts'", 'imports lib/kore.ts'),
    file('lib/client.ts', "export type A = import('./websocket.ts').A", 'imports lib/websocket.ts'),
    file('lib/kore.ts', "import './server.ts'; import './websocket.ts'; import './kore/a.ts'"),
    file('lib/kore.ts', "await import('./index.ts')", 'imports lib/index.ts'),
    file('lib/index.ts', "export * from './kore.ts'; export * from './protocol/index.ts'"),
    file('lib/index.ts', "import './conformance/a.ts'", 'imports lib/conformance/a.ts'),
    file('lib/index.ts', "export * from './cli/a.ts'", 'imports lib/cli/a.ts'),
    file('lib/kore/a.ts', "import '../index.ts'; import '../server.ts'", 'imports lib/index.ts'),
    file('lib/conformance/a.ts', "import '../index.ts'"),
    file('lib/conformance/a.ts', "import '../cli/a.ts'", 'imports lib/cli/a.ts'),
    file('lib/cli/a.ts', "import '../conformance/a.ts'; import '../server.ts'; import '../protocol/a.ts'"),
    file('lib/misc/a.ts', '', 'has no layer'),
    file('lib/errors.ts', '', 'has no layer'),
  ])
})

t.test('protocol, handshake and the negotiation of deflate know no sockets, timers and promises', async t => {
  const purePaths = ['lib/protocol/a.ts', 'lib/handshake/a.ts', 'lib/deflate/negotiation.ts']
  const modules = ['net', 'tls', 'http', 'https', 'http2', 'timers', 'timers/promises'].map(name => `node:${name}`)
  for (const path of purePaths) {
    holds(t, purity, [
      ...modules.map(name => file(path, `import '${name}'`, `has ${name}`)),
      file(path, "import { createHash } from 'node:crypto'; import type { A } from './http.ts'"),
      file(path, "import type { Socket } from 'node:net'", 'has node:net'),
      file(path, "type A = import('node:net').Socket", 'has node:net'),
      file(path, 'setTimeout(a, 1); globalThis.setInterval(a, 1)', 'has setTimeout', 'has setInterval'),
      file(path, 'setImmediate(a); queueMicrotask(a)', 'has setImmediate', 'has queueMicrotask'),
      file(path, 'process.nextTick(a)', 'has nextTick'),
      file(path, 'const { nextTick: later } = process', 'has nextTick'),
      file(path, 'type A = Promise<void> | PromiseLike<void>', 'has Promise', 'has PromiseLike'),
      file(path, 'const a = async () => {}', 'has async'),
      file(path, 'async function a() { await b }', 'has async', 'has await'),
      file(path, 'for await (const a of b) {}', 'has await'),
      file(path, '/** async, await, Promise, setTimeout */\n// import "node:net"\nconst timeout = "Promise"'),
    ])
  }
  t.strictSame(purity({ 'lib/transport/a.ts': "import 'node:net'; await setTimeout(a)" }), [], 'transport may')
})

t.test('the conformance tester shares constants with what it tests, and nothing else', async t => {
  holds(t, apart, [
    file('lib/conformance/a.ts', "import './b.ts'; import '../protocol/opcode.ts'; import '../protocol/close-code.ts'"),
    file('lib/conformance/deep/a.ts', "import '../../protocol/misuse-error.ts'; import '../b.ts'; import 'node:net'"),
    file('lib/conformance/a.ts', "import '../protocol/endpoint.ts'", 'imports lib/protocol/endpoint.ts'),
    file('lib/conformance/a.ts', "import type { A } from '../handshake/a.ts'", 'imports lib/handshake/a.ts'),
    file('lib/conformance/wire/a.ts', "export * from '../../protocol/mask.ts'", 'imports lib/protocol/mask.ts'),
    file('lib/cli/a.ts', "import '../protocol/endpoint.ts'"),
  ])
})

t.test('no file imports itself in the end, not even its types', async t => {
  const inTheEnd = 'imports itself in the end'
  holds(t, acyclic, [
    file('lib/protocol/a.ts', "import './a.ts'", inTheEnd),
    [{ 'lib/protocol/a.ts': "import './b.ts'", 'lib/protocol/b.ts': '' }, []],
    [
      { 'lib/a/a.ts': "import '../b/b.ts'", 'lib/b/b.ts': "import type { A } from '../a/a.ts'" },
      [`lib/a/a.ts ${inTheEnd}`, `lib/b/b.ts ${inTheEnd}`],
    ],
    [
      {
        'lib/a.ts': "import './b.ts'",
        'lib/b.ts': "import './c.ts'",
        'lib/c.ts': "import './d.ts'; export * from './b.ts'",
        'lib/d.ts': '',
      },
      [`lib/b.ts ${inTheEnd}`, `lib/c.ts ${inTheEnd}`],
    ],
    [{ 'lib/a.ts': "import './b.ts'; import './c.ts'", 'lib/b.ts': "import './c.ts'", 'lib/c.ts': '' }, []],
  ])
})

t.test('imports are of Node, or of files of lib by their whole names', async t => {
  const a = 'lib/protocol/a.ts'
  holds(t, resolvable, [
    [{ [a]: "import './b.ts'; import 'node:crypto'", 'lib/protocol/b.ts': "import '../protocol/a.ts'" }, []],
    file(a, "import './b.ts'", 'imports ./b.ts'),
    [{ [a]: "import './b'; import './b.js'", 'lib/protocol/b.ts': '' }, [`${a} imports ./b`, `${a} imports ./b.js`]],
    [{ [a]: "import '../../spec/b.ts'", 'spec/b.ts': '' }, [`${a} imports ../../spec/b.ts`]],
    file(a, "import 'crypto'", 'imports crypto'),
    file(a, "export { a } from 'ws'", 'imports ws'),
    file(a, "import type { A } from 'ws'", 'imports ws'),
    file(a, "require('ws')", 'imports ws'),
    file(a, "import ws = require('ws')", 'imports ws'),
    file(a, 'await import(`ws`)', 'imports ws'),
    file(a, 'await import(b)', 'imports (a computed name)'),
    file(a, "import b from '../../package.json'", 'imports ../../package.json'),
    file(a, "// import 'ws'\nconst b = \"import 'ws'\""),
  ])
})

t.test('types can be erased, and say what they are', async t => {
  const path = 'lib/a.ts'
  holds(t, erasable, [
    file(path, 'enum A {}', 'has an enum'),
    file(path, 'declare const enum A {}', 'has an enum'),
    file(path, 'namespace A { export const a = 1 }', 'has a namespace'),
    file(path, 'class A { constructor(private a: string) {} }', 'has a parameter property'),
    file(path, 'class A { constructor(readonly a: string) {} }', 'has a parameter property'),
    file(path, "import a = require('node:net')", 'has import ='),
    file(path, 'export = a', 'has export ='),
    file(path, 'const a = <string>b', 'has a type in angle brackets'),
    // What the rules have to find: these sources are made up, and are never compiled.
    file(path, 'let a: any; function b(c: any[]) {}', 'has any', 'has any'),
    file(path, 'const a = b as any', 'has any'),
    ...['@ts-ignore', '@ts-expect-error', '@ts-nocheck'].map(what => file(path, `a // ${what}`, `has ${what}`)),
    file(path, '/** any enum */ const any = "namespace", a = b<string>(); export default a'),
    file(path, 'class A { readonly a; constructor(a: string) {} private b() {} }'),
  ])
})

t.test('no method is private and static', async t => {
  const path = 'lib/a.ts'
  holds(t, cacheable, [
    file(path, 'class A { static #b() {} }', 'has a private static method'),
    file(path, 'class A { static async #b() {} static *#c() {} }', 'has a private static method', 'has a private static method'),
    file(path, 'class A { static b() {} #c() {} static #d = 1; static { this.b() } }'),
  ])
})

t.test('each file opens with a comment', async t => {
  const path = 'lib/a.ts'
  holds(t, explained, [
    ...['/** It. */\n', '/**\n * It.\n */', '// It.', '#!/usr/bin/env node\n// It.'].map(text => file(path, text)),
    ...['', '\n// It.', 'a\n/** It. */', '#!/usr/bin/env node\na'].map(text =>
      file(path, text, 'does not open with a comment')
    ),
  ])
})

t.test('a file has 400 lines at most, or its first line says why: "(hence the length)"', async t => {
  const path = 'lib/a.ts'
  holds(t, short, [
    file(path, 'a\n'.repeat(400)),
    file(path, 'a\n'.repeat(400) + 'a', 'has 401 lines'),
    file(path, 'a\n'.repeat(401), 'has 401 lines'),
    file(path, '/** Cases, as data (hence the length). */\n' + 'a\n'.repeat(500)),
    file(path, '#!/usr/bin/env node\n/**\n * All of it (hence the length):\n' + 'a\n'.repeat(500)),
    file(path, '/** (hence the length) */\n' + 'a\n'.repeat(400), 'has 401 lines'),
    file(path, '/**\n * Cases.\n * Data (hence the length).\n' + 'a\n'.repeat(400), 'has 403 lines'),
  ])
})

t.test('specs mirror lib', async t => {
  const tree = (...paths: string[]): Tree => Object.fromEntries(paths.map(path => [path, '']))
  holds(t, mirrored, [
    [tree('lib/protocol/a.ts', 'spec/protocol/a.spec.ts', 'lib/handshake/b.ts', 'spec/handshake/b.spec.ts'), []],
    [tree('lib/protocol/a.ts', 'spec/handshake/a.ts'), ['lib/protocol/a.ts has no spec']],
    [tree('lib/handshake/a.ts'), ['lib/handshake/a.ts has no spec']],
    [tree('lib/deflate/a.ts'), ['lib/deflate/a.ts has no spec']],
    [tree('lib/protocol/index.ts', 'lib/transport/a.ts', 'lib/server.ts', 'spec/kore/a.spec.ts', 'spec/b.spec.ts'), []],
    ...['protocol', 'deflate', 'handshake', 'transport', 'broadcast'].map((folder): [Tree, string[]] => [
      tree(`spec/${folder}/a.spec.ts`, 'lib/a.ts'),
      [`spec/${folder}/a.spec.ts is the spec of no file`],
    ]),
  ])
})

t.test('no runtime dependency, and three to develop with', async t => {
  const exact = { devDependencies: { typescript: '1', tap: '1', '@types/node': '1' } }
  const tree = (manifest: object): Tree => ({ 'package.json': JSON.stringify(manifest) })
  holds(t, independent, [
    [tree(exact), []],
    [tree({ ...exact, dependencies: {} }), []],
    [tree({}), ['devDependencies: ']],
    [tree({ devDependencies: { tap: '1', ws: '1' } }), ['devDependencies: tap,ws']],
    [tree({ devDependencies: { ...exact.devDependencies, a: '' } }), ['devDependencies: @types/node,a,tap,typescript']],
    ...DEPENDENCIES.map((key): [Tree, string[]] => [tree({ ...exact, [key]: { ws: '1' } }), [key]]),
  ])
})
