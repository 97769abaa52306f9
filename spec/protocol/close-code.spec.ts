import t from 'tap'
import { CloseCode, isWireCloseCode } from '../../lib/protocol/close-code.ts'

t.test('7.4.1 and the IANA registry: the names', async t => {
  t.strictSame(CloseCode, {
    normal: 1000,
    goingAway: 1001,
    protocolError: 1002,
    unsupportedData: 1003,
    noStatus: 1005,
    abnormal: 1006,
    invalidPayload: 1007,
    policyViolation: 1008,
    messageTooBig: 1009,
    mandatoryExtension: 1010,
    internalError: 1011,
    serviceRestart: 1012,
    tryAgainLater: 1013,
    badGateway: 1014,
  })
})

t.test('7.4: of all 16-bit numbers exactly these may travel', async t => {
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
  const forApplications = Array.from({ length: 2000 }, (_, i) => 3000 + i)
  const may = Array.from({ length: 65536 }, (_, code) => code).filter(isWireCloseCode)
  t.strictSame(may, [...registered, ...forApplications])
})

t.test('7.4.1: the codes that only say what happened never travel', async t => {
  t.notOk(isWireCloseCode(CloseCode.noStatus))
  t.notOk(isWireCloseCode(CloseCode.abnormal))
  t.notOk(isWireCloseCode(-1000))
  for (const code of [1000.5, NaN, Infinity, '1000' as unknown as number]) t.notOk(isWireCloseCode(code), String(code))
})
