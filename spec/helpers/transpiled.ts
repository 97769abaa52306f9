/** Programs of specs as JavaScript, with all of lib: with tap's loader each process would take seconds to start. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** @param path of the program, from the root; returns where it lies as JavaScript until the end of the test */
export function transpiled(t: Test, path: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'kore-ws-workers-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const files = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
  for (const file of [path, ...files.filter(name => name.endsWith('.ts')).map(name => join('lib', name))]) transpile(folder, file)
  return join(folder, path.replace(/ts$/, 'js'))
}

function transpile(folder: string, path: string): void {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, rewriteRelativeImportExtensions: true }
  const { outputText } = ts.transpileModule(readFileSync(join(ROOT, path), 'utf8'), { compilerOptions })
  const target = join(folder, path.replace(/ts$/, 'js'))
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, outputText)
}
