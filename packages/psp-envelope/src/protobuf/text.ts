import { getTextEncoding } from '@bufbuild/protobuf/wire';
import { EnvelopeError } from '../errors.js';

/** What a decoder puts in place of bytes that are not UTF-8. */
const REPLACEMENT = '\uFFFD';

/** UTF-8 bytes of a text. */
export function encodeText(text: string): Uint8Array {
  return getTextEncoding().encodeUtf8(text);
}

/**
 * The text of UTF-8 bytes as protobuf wants it: bytes that are not UTF-8 are refused, and U+FFFD is a character like any
 * other.
 *
 * @throws EnvelopeError ENVELOPE_MALFORMED
 */
export function decodeStrictText(bytes: Uint8Array): string {
  try {
    // The decoder that is not strict is the faster one, and for ASCII there is no difference.
    return getTextEncoding().decodeUtf8(bytes, !isAscii(bytes));
  } catch (error) {
    throw new EnvelopeError('ENVELOPE_MALFORMED', 'a text is not UTF-8', {}, error);
  }
}

/** Whether all bytes are below 128, as those of most texts here are. */
function isAscii(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at]! > 0x7f) return false;
  return true;
}

/** Whether the bytes from `from` to before `to` are a text, of ASCII alone. */
export function isAsciiOf(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit !== bytes[from + i] || unit > 0x7f) return false;
  }
  return true;
}

/** The text of UTF-8 bytes. @throws EnvelopeError ENVELOPE_MALFORMED */
export function decodeText(bytes: Uint8Array): string {
  const text = getTextEncoding().decodeUtf8(bytes);
  if (text.includes(REPLACEMENT)) throw new EnvelopeError('ENVELOPE_MALFORMED', 'a text is not UTF-8');
  return text;
}
