/** What users can name: the exports of an entry point, and the members of a class that are not marked as internal. */
import { readFileSync } from 'node:fs'
import ts from 'typescript'

export interface Exports {
  readonly values: readonly string[]
  readonly types: readonly string[]
}

/** What a module exports itself or by name; `export *` is not followed. */
export function exportsOf(path: string): Exports {
  const values: string[] = []
  const types: string[] = []
  for (const statement of sourceOf(path).statements) {
    if (isInternal(statement)) continue
    if (ts.isExportDeclaration(statement) && statement.exportClause !== undefined && ts.isNamedExports(statement.exportClause)) {
      for (const { name, isTypeOnly } of statement.exportClause.elements) {
        const names = statement.isTypeOnly || isTypeOnly ? types : values
        names.push(name.text)
      }
    } else if (ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) {
      if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) types.push(statement.name.text)
      else if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) values.push(statement.name?.text ?? 'default')
      else if (ts.isVariableStatement(statement)) values.push(...statement.declarationList.declarations.map(({ name }) => name.getText()))
    }
  }
  return { values, types }
}

/** Members of a class, as a guide writes them: `send()` for a method, `data` for what is read or set. */
export function membersOf(path: string, className: string): string[] {
  const classes = sourceOf(path).statements.filter(ts.isClassDeclaration)
  const members = classes.find(({ name }) => name?.text === className)?.members ?? []
  const names = members.flatMap(member => {
    const { name } = member
    if (name === undefined || ts.isPrivateIdentifier(name) || isInternal(member)) return []
    const text = name.getText()
    return [WRITTEN[text] ?? (ts.isMethodDeclaration(member) ? `${text}()` : text)]
  })
  // Overloads, and what has a getter and a setter.
  return [...new Set(names)]
}

const WRITTEN: Readonly<Record<string, string>> = {
  '[Symbol.asyncIterator]': 'for await',
  '[Symbol.asyncDispose]': 'await using',
}

function sourceOf(path: string): ts.SourceFile {
  const text = readFileSync(new URL(`../../lib/${path}`, import.meta.url), 'utf8')
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
}

function isInternal(node: ts.Node): boolean {
  return ts.getJSDocTags(node).some(({ tagName }) => tagName.text === 'internal')
}
