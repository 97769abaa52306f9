/** Strings that own their characters. */

/**
 * The same text in memory of its own. An engine may keep a piece of a string as a reference to the whole: a name of 20
 * characters that is kept would hold on to the 16 KiB of headers, or the message, that it was cut from.
 */
export function ownString(text: string): string {
  // Latin-1 takes one byte a character; UTF-16 alone keeps surrogates that have no partner.
  const encoding = isLatin1(text) ? 'latin1' : 'utf16le'
  return Buffer.from(text, encoding).toString(encoding)
}

function isLatin1(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0xff) return false
  }
  return true
}
