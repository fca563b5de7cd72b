import { create, fromBinary, ScalarType, toBinary, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import type { Message } from '@bufbuild/protobuf';
import { EnvelopeError, invalid, requireAtMost } from '../errors.js';
import { DEFAULT_LIMITS, type EnvelopeLimits } from '../limits.js';
import { ProtoReader } from '../protobuf/proto-reader.js';
import { decodeApplicationMessage, encodeApplicationMessage } from './application-message.js';
import { decodePublish, encodePublishResult } from './publish-codec.js';
import { EVENT_SCHEMAS, type EventName, type EventSchemas } from './events.js';

/** A message of one event. */
export interface DiscoveryMessageOf<Name extends EventName> {
  readonly event: Name;
  /** The protobuf-es message; its 64-bit numbers are bigint. */
  readonly body: MessageShape<EventSchemas[Name]>;
}

/** Any discovery message, told apart by `event`. */
export type DiscoveryMessage = { [Name in EventName]: DiscoveryMessageOf<Name> }[EventName];

/**
 * Makes a message from its fields; those left out have proto3's defaults.
 *
 * @example
 * discoveryMessage('pullDiscovery', { version: 'xpx-discovery-1.0' });
 */
export function discoveryMessage<Name extends EventName>(
  event: Name,
  fields: MessageInitShape<EventSchemas[Name]>,
): DiscoveryMessageOf<Name> {
  return { event, body: create(EVENT_SCHEMAS[event], fields) };
}

/** `[event id 2][body]`, ready for `segment`. @throws EnvelopeError ENVELOPE_TOO_LARGE, ENVELOPE_INVALID_VALUE */
export function encodeDiscoveryMessage(message: DiscoveryMessage, limits: EnvelopeLimits = DEFAULT_LIMITS): Uint8Array {
  return encodeApplicationMessage(message.event, encodeDiscoveryBody(message), limits);
}

/**
 * Reads a whole application message. Unknown fields are skipped.
 *
 * The shape is checked: protobuf, sizes, counts, and 64-bit numbers, which are all below 2^53. What the fields mean is
 * for the reader to judge. For Raft packets, `openRaftPacket` is the faster way.
 *
 * @throws EnvelopeError ENVELOPE_TRUNCATED, ENVELOPE_UNKNOWN_EVENT, ENVELOPE_TOO_LARGE, ENVELOPE_MALFORMED,
 *   ENVELOPE_INVALID_VALUE
 */
export function decodeDiscoveryMessage(message: Uint8Array, limits: EnvelopeLimits = DEFAULT_LIMITS): DiscoveryMessage {
  const { event, body } = decodeApplicationMessage(message, limits);
  return decodeDiscoveryBody(event, body, limits);
}

/** As {@link decodeDiscoveryMessage}, for a message whose event was read already. */
export function decodeDiscoveryBody(
  event: EventName,
  body: Uint8Array,
  limits: EnvelopeLimits = DEFAULT_LIMITS,
): DiscoveryMessage {
  if (event === 'publishToDiscovery') return { event, body: decodePublish(body, limits.maxBodyFields) };
  requireFewFields(event, body, limits.maxBodyFields);
  const schema: GenMessage<Message> = EVENT_SCHEMAS[event];
  let decoded: Message;
  try {
    decoded = fromBinary(schema, body, { readUnknownFields: false });
  } catch (error) {
    throw new EnvelopeError(
      'ENVELOPE_MALFORMED',
      'the body is not the protobuf message of its event',
      { event },
      error,
    );
  }
  requireSafeIntegers(schema, decoded);
  // The schema was chosen by the event, which is what the union's pairs say.
  return { event, body: decoded } as DiscoveryMessage;
}

/** The protobuf body of a message, without its event. @throws EnvelopeError ENVELOPE_INVALID_VALUE */
export function encodeDiscoveryBody(message: DiscoveryMessage): Uint8Array {
  if (message.event === 'publishToDiscoveryResult') return encodePublishResult(message.body);
  const schema: GenMessage<Message> = EVENT_SCHEMAS[message.event];
  try {
    return toBinary(schema, message.body, { writeUnknownFields: false });
  } catch (error) {
    throw new EnvelopeError('ENVELOPE_INVALID_VALUE', 'the message cannot be encoded', { event: message.event }, error);
  }
}

/** Two bytes on the wire can become an object of hundreds; so fields are counted before any object is made. */
function requireFewFields(event: EventName, body: Uint8Array, limit: number): void {
  const reader = new ProtoReader(body);
  for (let count = 1; !reader.done; count++) {
    requireAtMost(`fields of ${event}`, count, limit);
    reader.skip(reader.tag());
  }
}

function requireSafeIntegers(schema: GenMessage<Message>, message: Message): void {
  for (const field of schema.fields) {
    if (field.fieldKind !== 'scalar' || field.scalar !== ScalarType.UINT64) continue;
    const value = (message as unknown as Record<string, unknown>)[field.localName];
    if (typeof value === 'bigint' && value > BigInt(Number.MAX_SAFE_INTEGER)) {
      invalid(field.name, 'is above 2^53 - 1', value);
    }
  }
}
