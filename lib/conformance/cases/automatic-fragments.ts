/** Group 10: a message that the sender cuts into frames of a size that does not divide it. */
import type { Case } from '../case.ts'
import { answered, kill, message, messageOf, repeated, STAR, text } from './build.ts'

const PAYLOAD = repeated(STAR, 65_536)

export const AUTOMATIC_FRAGMENTS: readonly Case[] = [
  answered(
    '10.1.1',
    'A text message of 65,536 bytes in 51 frames: 50 of 1,300 bytes, and one of 536.',
    [message(text, PAYLOAD, 1300), kill(10)],
    messageOf(text, PAYLOAD)
  ),
]
