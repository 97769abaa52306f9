/** A strict reader of Prometheus' exposition format, version 0.0.4: whatever is not exactly right throws. */

export interface Exposition {
  /** By name and labels, as they stand in the text. */
  readonly samples: ReadonlyMap<string, number>
  /** By the name of the family. */
  readonly types: ReadonlyMap<string, string>
  /** Of each sample, unescaped. */
  readonly labels: readonly Readonly<Record<string, string>>[]
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\]|\\\\|\\n)+)$/
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|summary|histogram|untyped)$/
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,(?=.)|$)/

export function parseExposition(text: string): Exposition {
  const samples = new Map<string, number>()
  const types = new Map<string, string>()
  const helped = new Set<string>()
  const labels: Record<string, string>[] = []
  let family = ''
  check(text.endsWith('\n'), 'the last line does not end')
  for (const line of text.slice(0, -1).split('\n')) {
    const [, helpName] = HELP.exec(line) ?? []
    const [, typeName, type] = TYPE.exec(line) ?? []
    if (helpName !== undefined) {
      check(!helped.has(helpName), `a second help: ${line}`)
      helped.add(helpName)
      family = helpName
    } else if (typeName !== undefined) {
      check(typeName === family && !types.has(typeName), `a type in the wrong place: ${line}`)
      types.set(typeName, type)
    } else {
      const [, name, inner = '', value] = SAMPLE.exec(line) ?? []
      check(name !== undefined, `no line of the format: ${line}`)
      check(name === family && types.has(name), `a sample outside of its family: ${line}`)
      const own = labelsOf(inner)
      check((types.get(name) === 'summary') === ('quantile' in own), `a quantile belongs to summaries: ${line}`)
      const key = inner === '' ? name : `${name}{${inner}}`
      check(!samples.has(key), `twice: ${line}`)
      samples.set(key, value.endsWith('Inf') ? Number(value.replace('Inf', 'Infinity')) : Number(value))
      if (types.get(name) === 'counter') check(Number(value) >= 0, `a negative counter: ${line}`)
      labels.push(own)
    }
  }
  for (const name of helped) check(types.has(name), `${name} has no type`)
  return { samples, types, labels }
}

function labelsOf(inner: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let rest = inner; rest !== ''; ) {
    const [whole, name, value] = LABEL.exec(rest) ?? []
    check(whole !== undefined && !(name in labels), `labels: ${inner}`)
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
    rest = rest.slice(whole.length)
  }
  return labels
}

function check(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new Error(sentence)
}
