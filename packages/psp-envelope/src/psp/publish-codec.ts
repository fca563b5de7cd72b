/**
 * The two messages of a publish by hand, since a node reads and writes one of each for every publish: the generated code
 * takes several times as long. Tests hold it against the generated code.
 */
import type { PublishToDiscovery, PublishToDiscoveryResult } from '@discovery-raft/protocol';
import { ProtoReader } from '../protobuf/proto-reader.js';
import { bytesFieldSize, intFieldSize, ProtoWriter } from '../protobuf/proto-writer.js';
import { decodeStrictText, encodeText } from '../protobuf/text.js';
import { requireAtMost } from '../errors.js';

const PUBLISH_TAG = { version: 10, signedDiscoveryItem: 18, requestID: 24 } as const;
const NO_BYTES = new Uint8Array(0);

/**
 * Reads a `PublishToDiscovery`; its item is a window of `body`.
 *
 * @param maxFields of the body, unknown ones among them
 * @throws EnvelopeError ENVELOPE_TRUNCATED, ENVELOPE_MALFORMED, ENVELOPE_INVALID_VALUE, ENVELOPE_TOO_LARGE
 */
export function decodePublish(body: Uint8Array, maxFields: number): PublishToDiscovery {
  const reader = new ProtoReader(body);
  let version = '';
  let signedDiscoveryItem: Uint8Array = NO_BYTES;
  let requestID = 0n;
  for (let count = 1; !reader.done; count++) {
    requireAtMost('fields of publishToDiscovery', count, maxFields);
    const tag = reader.tag();
    if (tag === PUBLISH_TAG.version) version = decodeStrictText(reader.bytes());
    else if (tag === PUBLISH_TAG.signedDiscoveryItem) signedDiscoveryItem = reader.bytes();
    else if (tag === PUBLISH_TAG.requestID) requestID = BigInt(reader.varint());
    else reader.skip(tag);
  }
  return { $typeName: 'protocol.PublishToDiscovery', version, signedDiscoveryItem, requestID };
}

/** Writes a `PublishToDiscoveryResult`. @throws EnvelopeError ENVELOPE_INVALID_VALUE for a number above 2^53 - 1 */
export function encodePublishResult({ requestID, code, detail }: PublishToDiscoveryResult): Uint8Array {
  const request = Number(requestID);
  const text = detail === '' ? NO_BYTES : encodeText(detail);
  const writer = new ProtoWriter(intFieldSize(request) + intFieldSize(code) + bytesFieldSize(text.length));
  writer.int(1, request);
  writer.int(2, code);
  writer.data(3, text);
  return writer.bytes;
}
