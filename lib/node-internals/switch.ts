/**
 * Whether what Node does not document may be used. All of that lies in this folder, and each has a documented path beside
 * it, which is slower and as right.
 */

/** Releases on which CI has run all of it. */
const LISTED: readonly number[] = [20, 22, 24, 26]
/** Variables and runtimes that say of themselves that they are Node, and are not, or not plain. */
const OTHERS = ['bun', 'deno', 'electron', 'nw'] as const

/** A process, as far as it is looked at. */
export interface Host {
  readonly versions: Readonly<Record<string, string | undefined>>
  readonly execArgv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

/** KORE_WS_PORTABLE=1 says no; so does every host but plain Node of a listed release. */
export function mayUseInternals({ versions, env }: Host): boolean {
  if (env.KORE_WS_PORTABLE === '1' || OTHERS.some(name => versions[name] !== undefined)) return false
  return LISTED.includes(Number.parseInt(versions.node ?? '', 10))
}

/** Whether V8 was told to end the process where a flag is set at run time: `--freeze-flags-after-init`. */
export function freezesFlags({ execArgv, env }: Host): boolean {
  const flags = [...execArgv, ...(env.NODE_OPTIONS ?? '').split(/\s+/)]
  return flags.some(flag => /^--freeze[-_]flags[-_]after[-_]init(?:=true)?$/.test(flag))
}

export const usesInternals = mayUseInternals(process)
