import t from 'tap'
import { ProgressLine } from '../../lib/cli/progress-line.ts'
import { progressOf } from '../../lib/conformance/progress.ts'
import { resultOf } from '../conformance/result-of.ts'

function terminal(
  isTTY: boolean,
  columns = 60
): { written: string[]; write(text: string): boolean; isTTY: boolean; columns: number } {
  const written: string[] = []
  return {
    written,
    isTTY,
    columns,
    write(text: string) {
      written.push(text)
      return true
    },
  }
}

const at = (done: number, elapsed: number): Parameters<ProgressLine['show']>[0] => ({
  ...progressOf(resultOf('6.12.3'), done, 517, 2, 0),
  elapsed,
})

t.test('one line, over and over, no longer than the terminal', async t => {
  const tty = terminal(true)
  const line = new ProgressLine(tty as never)
  line.show(at(233, 12_345))
  t.same(tty.written, ['\r\u001b[K 45 %  233/517  12 s  2 failed  6.12.3 Text as UTF-8'])
  line.clear()
  t.equal(tty.written.pop(), '\r\u001b[K')
  const narrow = terminal(true, 20)
  new ProgressLine(narrow as never).show(at(233, 0))
  t.equal(narrow.written[0].length, '\r\u001b[K'.length + 19)
})

t.test('not more often than ten times a second, but at the end', async t => {
  const tty = terminal(true)
  const line = new ProgressLine(tty as never)
  for (const elapsed of [0, 50, 99, 100, 150]) line.show(at(1, elapsed))
  t.equal(tty.written.length, 2)
  line.show(at(517, 151))
  t.match(tty.written[2], /100 %/)
})

t.test('elsewhere a line every ten seconds, and none for a short run', async t => {
  const pipe = terminal(false)
  const line = new ProgressLine(pipe as never)
  line.show(at(1, 0))
  line.show(at(5, 9_999))
  t.same(pipe.written, [])
  line.show(at(233, 12_345))
  line.show(at(300, 22_344))
  line.show(at(517, 22_345))
  line.clear()
  t.same(pipe.written, [
    ' 45 %  233/517  12 s  2 failed  6.12.3 Text as UTF-8\n',
    '100 %  517/517  22 s  2 failed  6.12.3 Text as UTF-8\n',
  ])
})
