/** docs/reference/errors.md: its tables of mistakes have each line of spec/mistakes, with what it really says. */
import t from 'tap'
import { GROUPS } from '../mistakes/list.ts'
import { things, told } from '../mistakes/try.ts'
import { pageOf, sectionOf, tablesOf } from './page.ts'

const page = pageOf('reference/errors.md')

for (const group of GROUPS) {
  t.test(group.title, async t => {
    const section = sectionOf(page, `### ${group.title}`)
    t.match(section, `\`${group.program.replace('%', '…')}\``)
    const [{ rows }] = tablesOf(section)
    const given = await things(t)
    t.equal(rows.length, group.lines.length)
    for (const [i, line] of group.lines.entries()) {
      const { code, message } = await told(group, line, given)
      const cells = [`\`${line}\``, `\`${code}\``, message].map(cell => cell.replaceAll('|', '\\|'))
      t.strictSame(rows[i], cells)
    }
  })
}

t.test('the page has a table for each group, and no other line', async t => {
  const mistakes = tablesOf(page).filter(({ columns: [first] }) => first === 'written')
  t.equal(mistakes.length, GROUPS.length)
})
