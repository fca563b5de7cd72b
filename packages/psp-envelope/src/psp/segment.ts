import { EnvelopeError, requireAtMost } from '../errors.js';
import { DEFAULT_LIMITS, type EnvelopeLimits } from '../limits.js';
import { EventId, maxBodyBytes, type EventName } from './events.js';

/** Payload bytes of a full stream cell. */
export const CELL_PAYLOAD_BYTES = 65_535;

/** Bytes of the length that goes before a message, and that it counts. */
export const LENGTH_BYTES = 4;

/** Length bytes and event id. */
export const HEAD_BYTES = LENGTH_BYTES + 2;

/**
 * Cuts an application message into payloads of stream cells: `[total length 4][message]`, every payload but the last
 * exactly 65,535 bytes (WIRE.md, section 2).
 *
 * @returns at least one payload; all but the first are windows of `message`
 * @throws EnvelopeError ENVELOPE_BAD_FRAMING for an empty message
 */
export function segment(message: Uint8Array): Uint8Array[] {
  if (message.length === 0) throw new EnvelopeError('ENVELOPE_BAD_FRAMING', 'an empty message cannot be sent');
  return cells(LENGTH_BYTES, LENGTH_BYTES + message.length, [message]);
}

/**
 * As {@link segment}, for a message in parts: `[total length 4][event id 2][body]`, where the body is several windows one
 * after the other. Only what shares a cell with something else is copied, so a large body that goes to many is not.
 *
 * @throws EnvelopeError ENVELOPE_TOO_LARGE when the receiver would refuse it by these limits
 */
export function segmentBody(
  event: EventName,
  body: readonly Uint8Array[],
  limits: EnvelopeLimits = DEFAULT_LIMITS,
): Uint8Array[] {
  let bytes = 0;
  for (const { length } of body) bytes += length;
  requireAtMost(event, bytes, maxBodyBytes(event, limits));
  const pieces = cells(HEAD_BYTES, HEAD_BYTES + bytes, body);
  const first = pieces[0]!;
  first[LENGTH_BYTES] = EventId[event] >> 8;
  first[LENGTH_BYTES + 1] = EventId[event];
  return pieces;
}

/** The payloads of `total` bytes: a head, of which the length is filled in, and then the content. */
function cells(headBytes: number, total: number, content: readonly Uint8Array[]): Uint8Array[] {
  const first = new Uint8Array(Math.min(total, CELL_PAYLOAD_BYTES));
  first[0] = total >>> 24;
  first[1] = total >>> 16;
  first[2] = total >>> 8;
  first[3] = total;
  const pieces: Uint8Array[] = [first];
  let cell: Uint8Array = first;
  let filled = headBytes;
  let done = headBytes;
  for (const part of content) {
    for (let at = 0; at < part.length;) {
      if (filled === cell.length) {
        const length = Math.min(total - done, CELL_PAYLOAD_BYTES);
        const isWithin = part.length - at >= length;
        cell = isWithin ? part.subarray(at, at + length) : new Uint8Array(length);
        pieces.push(cell);
        filled = isWithin ? length : 0;
        if (isWithin) at += length;
        done += filled;
        continue;
      }
      const count = Math.min(part.length - at, cell.length - filled);
      cell.set(at === 0 && count === part.length ? part : part.subarray(at, at + count), filled);
      filled += count;
      done += count;
      at += count;
    }
  }
  return pieces;
}
