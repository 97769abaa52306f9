/// <reference types="node" preserve="true" />
/** The entry point `kore-ws/protocol`: the pure layer on its own. */
export { CloseCode, isWireCloseCode } from './close-code.ts'
export { DEFAULT_MAX_MESSAGE_BYTES, Endpoint, type EndpointOptions, type EndpointSink } from './endpoint.ts'
export { FrameParser, type FrameHandler, type Role } from './frame-parser.ts'
export { writeFrame, writeTextFrame } from './frame-serializer.ts'
export { MisuseError, type MisuseCode } from './misuse-error.ts'
export { FIN, Opcode, type DataOpcode } from './opcode.ts'
export { BufferedOutput, type Output } from './output.ts'
export { EndpointState } from './states.ts'
export { VIOLATIONS, Violation, type ViolationName } from './violation.ts'
