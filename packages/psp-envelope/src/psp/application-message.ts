import { EnvelopeError, requireAtMost } from '../errors.js';
import { DEFAULT_LIMITS, type EnvelopeLimits } from '../limits.js';
import { EventId, maxBodyBytes, requireEventName, type EventName } from './events.js';

/** Bytes of the event id. */
const EVENT_BYTES = 2;

/** An application message, taken apart. */
export interface ApplicationMessage {
  readonly event: EventName;
  /** The protobuf body: a window of the message. */
  readonly body: Uint8Array;
}

/**
 * `[event id 2][body]`, without the length, which {@link segment} puts before it.
 *
 * @throws EnvelopeError ENVELOPE_TOO_LARGE when the receiver would refuse it by these limits
 */
export function encodeApplicationMessage(
  event: EventName,
  body: Uint8Array,
  limits: EnvelopeLimits = DEFAULT_LIMITS,
): Uint8Array {
  requireAtMost(event, body.length, maxBodyBytes(event, limits));
  const id = EventId[event];
  const message = new Uint8Array(EVENT_BYTES + body.length);
  message[0] = id >> 8;
  message[1] = id & 0xff;
  message.set(body, EVENT_BYTES);
  return message;
}

/** @throws EnvelopeError ENVELOPE_TRUNCATED, ENVELOPE_UNKNOWN_EVENT (`details.eventId`), ENVELOPE_TOO_LARGE */
export function decodeApplicationMessage(
  message: Uint8Array,
  limits: EnvelopeLimits = DEFAULT_LIMITS,
): ApplicationMessage {
  if (message.length < EVENT_BYTES) throw new EnvelopeError('ENVELOPE_TRUNCATED', 'the message has no event id');
  const event = requireEventName(message[0]! * 256 + message[1]!);
  const body = message.subarray(EVENT_BYTES);
  requireAtMost(event, body.length, maxBodyBytes(event, limits));
  return { event, body };
}
