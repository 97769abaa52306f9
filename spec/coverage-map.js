/**
 * Which lib file a spec has to cover, all its branches, on its own: the mirror of lib/protocol, lib/deflate and
 * lib/handshake. The other folders meet sockets; their specs are not held to a figure.
 */
export default spec => {
  const mirrored = /^spec\/((?:protocol|deflate|handshake)\/.+)\.spec\.ts$/.exec(spec)
  return mirrored ? `lib/${mirrored[1]}.ts` : null
}
