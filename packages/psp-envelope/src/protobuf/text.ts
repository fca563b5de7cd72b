import { getTextEncoding } from '@bufbuild/protobuf/wire';
import { EnvelopeError } from '../errors.js';

/** What a decoder puts in place of bytes that are not UTF-8. */
const REPLACEMENT = '\uFFFD';

/** UTF-8 bytes of a text. */
export function encodeText(text: string): Uint8Array {
  return getTextEncoding().encodeUtf8(text);
}

/** The text of UTF-8 bytes. @throws EnvelopeError ENVELOPE_MALFORMED */
export function decodeText(bytes: Uint8Array): string {
  const text = getTextEncoding().decodeUtf8(bytes);
  if (text.includes(REPLACEMENT)) throw new EnvelopeError('ENVELOPE_MALFORMED', 'a text is not UTF-8');
  return text;
}
