/** Where ours and `ws` are known to differ on a stream: a list, each with its reason. */

const failed = end => end.type === 'failed'
const begins = (events, start) => start.every((event, i) => events[i] === event)
/** Ours has failed with the violation, and `ws` has seen all that ours has. */
const oursStops = (ours, theirs, violation) => ours.end.violation === violation && begins(theirs.events, ours.events)
/** The other way round, with the code of a close frame. */
const theirsStops = (ours, theirs, code) =>
  failed(theirs.end) && theirs.end.code === code && begins(ours.events, theirs.events)

/**
 * The first that holds counts. `holds` gets what came of the stream in either implementation, and what model.js says
 * of it: `facts` are its remarks.
 */
export const KNOWN = [
  {
    name: 'minimal lengths',
    reason: 'RFC 6455, section 5.2: a length MUST be written in as few bytes as possible. ws takes any form.',
    holds: (ours, theirs) => oursStops(ours, theirs, 'length-not-minimal'),
  },
  {
    name: 'top bit of a length',
    reason: 'Section 5.2: it MUST be 0, so we say 1002. ws takes the length for a large one and says 1009.',
    holds: (ours, theirs) => oursStops(ours, theirs, 'length-top-bit') && failed(theirs.end),
  },
  {
    name: 'two rules at once',
    reason: 'A header with a length over 2^53-1 that may not come here at all: we say 1009, ws 1002. Either is right.',
    holds: (ours, theirs) => oursStops(ours, theirs, 'length-unsafe') && theirs.end.code === 1002,
  },
  {
    name: 'header not all here',
    reason:
      'ws looks at a length (also that of a close frame of one byte) before all of the header has come; we do not.',
    holds: (ours, theirs, { facts }) =>
      facts.has('cut-header') && ours.end.type === 'open' && failed(theirs.end) && begins(ours.events, theirs.events),
  },
  {
    name: 'UTF-8 fails fast',
    reason:
      'Section 8.1 and Autobahn 6.4: bad text fails with its first bad byte here, in ws when the message is complete.',
    holds: (ours, theirs) => oursStops(ours, theirs, 'invalid-utf8'),
  },
  {
    name: 'compressed size over the limit',
    reason:
      'The limit is on what a message is, so data that has grown by being compressed passes. ws limits both sizes.',
    holds: (ours, theirs, { facts }) => facts.has('compressed-over-limit') && theirsStops(ours, theirs, 1009),
  },
  {
    name: 'too big, then broken',
    reason: 'Compressed data that passes the limit and breaks behind it: which is found first depends on buffer sizes.',
    holds: (ours, theirs, { end }) =>
      failed(ours.end) && failed(theirs.end) && end.violations?.length === 2 && begins(ours.events, theirs.events),
  },
  {
    name: 'final blocks',
    reason: 'RFC 7692, section 7.2.3.4 lets a message go on behind a block with BFINAL set. ws drops what follows it.',
    holds: (ours, theirs, { facts }) => facts.has('final-block'),
  },
  {
    name: 'window',
    reason:
      'References further back than agreed: we keep no smaller window inside a message, zlib for ws at times does.',
    holds: (ours, theirs, { facts }) => facts.has('reaches-too-far') && theirsStops(ours, theirs, 1007),
  },
  {
    name: 'incomplete DEFLATE data',
    reason:
      'Section 7.2.2: a message has to end with its block. ws hands over what came out of one that is cut; we may take ' +
      'what has to follow it for data, and so find it too big first.',
    holds: (ours, theirs, { end }) =>
      oursStops(ours, theirs, 'invalid-deflate') ||
      (oursStops(ours, theirs, 'message-too-big') && end.violations?.length === 2),
  },
  {
    name: 'fragment by fragment',
    reason: 'ws inflates every fragment as it comes and so may fail earlier; we inflate the whole message.',
    holds: (ours, theirs, { facts }) =>
      facts.has('compressed-fragments') && (theirsStops(ours, theirs, 1007) || theirsStops(ours, theirs, 1009)),
  },
]
