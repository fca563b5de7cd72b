import { malformed, PayloadReader } from './payload-reader.js';
import { StreamReason } from './command.js';

/** What a streamCreate cell asks for. */
export interface StreamRequest {
  /** See {@link StreamNamespace}; any other number is possible. */
  readonly namespace: number;
  /** Beside the namespace; its meaning is the namespace's. */
  readonly subcommand?: number;
  /** Bytes after the subcommand; a view when it was read. */
  readonly cookie?: Uint8Array;
}

/** Payload of a streamCreate cell. A cookie without a subcommand has subcommand 0 before it. */
export function encodeStreamCreate({ namespace, subcommand, cookie }: StreamRequest): Uint8Array {
  const extended = subcommand !== undefined || cookie !== undefined;
  const payload = new Uint8Array(4 + (extended ? 4 + (cookie?.length ?? 0) : 0));
  const view = new DataView(payload.buffer);
  view.setUint32(0, namespace);
  if (extended) view.setUint32(4, subcommand ?? 0);
  if (cookie !== undefined) payload.set(cookie, 8);
  return payload;
}

/** What a streamCreate cell asks for. @throws LinkError LINK_MALFORMED */
export function decodeStreamCreate(payload: Uint8Array): StreamRequest {
  const reader = new PayloadReader(payload);
  const namespace = reader.uint('namespace', 4);
  if (reader.remaining === 0) return { namespace };
  const subcommand = reader.uint('subcommand', 4);
  if (reader.remaining === 0) return { namespace, subcommand };
  return { namespace, subcommand, cookie: reader.bytes('cookie', reader.remaining) };
}

/** Checks the payload of a streamCreated cell, which is empty. @throws LinkError LINK_MALFORMED */
export function checkStreamCreated(payload: Uint8Array): void {
  if (payload.length > 0) throw malformed('streamCreated has no payload', 'streamCreated');
}

/** Payload of a streamDestroy cell. */
export function encodeStreamDestroy(reason: number): Uint8Array {
  return Uint8Array.of(reason);
}

/** Why the peer ended a stream; a missing reason is `unknown`. @throws LinkError LINK_MALFORMED */
export function decodeStreamDestroy(payload: Uint8Array): number {
  if (payload.length > 1) throw malformed('a reason has one byte', 'streamDestroy');
  return payload[0] ?? StreamReason.unknown;
}
