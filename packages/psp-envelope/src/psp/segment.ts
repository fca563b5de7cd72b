import { EnvelopeError } from '../errors.js';

/** Payload bytes of a full stream cell. */
export const CELL_PAYLOAD_BYTES = 65_535;

/** Bytes of the length that goes before a message, and that it counts. */
export const LENGTH_BYTES = 4;

/**
 * Cuts an application message into payloads of stream cells: `[total length 4][message]`, every payload but the last
 * exactly 65,535 bytes (WIRE.md, section 2).
 *
 * @returns at least one payload; all but the first are windows of `message`
 * @throws EnvelopeError ENVELOPE_BAD_FRAMING for an empty message
 */
export function segment(message: Uint8Array): Uint8Array[] {
  if (message.length === 0) throw new EnvelopeError('ENVELOPE_BAD_FRAMING', 'an empty message cannot be sent');
  const inFirst = Math.min(message.length, CELL_PAYLOAD_BYTES - LENGTH_BYTES);
  const first = new Uint8Array(LENGTH_BYTES + inFirst);
  new DataView(first.buffer).setUint32(0, LENGTH_BYTES + message.length);
  first.set(message.subarray(0, inFirst), LENGTH_BYTES);
  const pieces: Uint8Array[] = [first];
  for (let at = inFirst; at < message.length; at += CELL_PAYLOAD_BYTES) {
    pieces.push(message.subarray(at, at + CELL_PAYLOAD_BYTES));
  }
  return pieces;
}
