/** The second set: cases from 20.1.1 on, for what Autobahn leaves out, and the titles of their groups. */
import type { ProbeCase } from '../case.ts'
import { ANSWERS } from './answers.ts'
import { CONTROL_BITS } from './control-bits.ts'
import { DEFLATE, OFFERS } from './deflate.ts'
import { ENDINGS } from './endings.ts'
import { FLOODS } from './floods.ts'
import { FRAGMENTS } from './fragments.ts'
import { LENGTHS } from './lengths.ts'
import { MASKING } from './masking.ts'
import { PACKETS } from './packets.ts'
import { REQUESTS } from './requests.ts'

export const BEYOND: readonly ProbeCase[] = [
  ...MASKING,
  ...CONTROL_BITS,
  ...LENGTHS,
  ...FRAGMENTS,
  ...ENDINGS,
  ...FLOODS,
  ...PACKETS,
  ...REQUESTS,
  ...ANSWERS,
  ...DEFLATE,
  ...OFFERS,
]

export const BEYOND_TITLES: Readonly<Record<string, string>> = {
  20: 'Masking',
  '20.1': 'Unmasked, to a server',
  '20.2': 'Masked, to a client',
  '20.3': 'Masking keys',
  21: 'More reserved bits',
  '21.1': 'Pings',
  '21.2': 'Pongs',
  '21.3': 'Close frames',
  '21.4': 'Continuations',
  22: 'Lengths',
  '22.1': 'At the boundaries',
  '22.2': 'Pings',
  '22.3': 'Claimed, not sent',
  '22.4': 'With the highest bit set',
  '22.5': 'Long control frames',
  '22.6': 'In more bytes than needed',
  23: 'Mixed fragments',
  '23.1': 'Fragments that do not belong together',
  '23.2': 'Control frames in fragments',
  '23.3': 'Fragments that make a message',
  24: 'Endings',
  '24.1': 'Data behind a close frame',
  '24.2': 'TCP ends, or is reset',
  '24.3': 'More codes and reasons',
  25: 'Floods',
  '25.1': 'Pings and pongs',
  '25.2': 'Fragments',
  '25.3': 'Messages',
  26: 'Packets',
  '26.1': 'Byte by byte',
  '26.2': 'Data with the request',
  '26.3': 'Data with the answer',
  '26.4': 'The end of TCP with the handshake',
  27: 'Requests',
  '27.1': 'Requests to refuse',
  '27.2': 'Odd requests',
  '27.3': 'Good requests',
  28: 'Answers',
  '28.1': 'Answers to fail',
  '28.2': 'Odd answers',
  '28.3': 'Good answers',
  29: 'Compression: abuse',
  '29.1': 'Unusual blocks',
  '29.2': 'Reserved bits',
  '29.3': 'No DEFLATE data',
  '29.4': 'No text',
  '29.5': 'Bombs',
  '29.6': 'Left open',
  30: 'Compression: negotiation',
  '30.1': 'Offers to decline',
  '30.2': 'Offers to agree to',
  '30.3': 'Answers to fail',
}
