import { requireAtMost } from '../errors.js';
import type { EnvelopeLimits } from '../limits.js';
import { ProtoReader } from '../protobuf/proto-reader.js';
import { bytesFieldSize, ProtoWriter } from '../protobuf/proto-writer.js';
import { encodeText } from '../protobuf/text.js';

/** An answer that says that there is none (`raft.v1.RpcFailure`). */
export interface RpcFailure {
  readonly kind: 'rpcFailure';
  /** The error's code, upper case with underscores; at most 64 characters. From an untrusted peer: for people only. */
  readonly code: string;
  /** At most 512 characters, and for people only. */
  readonly message: string;
}

const MAX_CODE_CHARS = 64;
const MAX_MESSAGE_CHARS = 512;
const CODE_SHAPE = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * What a peer may know of an error. Errors with a code tell code and message; of any other only that there was one, since
 * its text was not meant for strangers.
 */
export function toRpcFailure(error: unknown): RpcFailure {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string' && CODE_SHAPE.test(error.code)) {
    return { kind: 'rpcFailure', code: error.code, message: cut(error.message, MAX_MESSAGE_CHARS) };
  }
  return { kind: 'rpcFailure', code: 'RAFT_TRANSPORT_FAILED', message: 'the request failed' };
}

export function encodeRpcFailure(failure: RpcFailure): Uint8Array {
  const code = encodeText(cut(failure.code, MAX_CODE_CHARS));
  const message = encodeText(cut(failure.message, MAX_MESSAGE_CHARS));
  const writer = new ProtoWriter(bytesFieldSize(code.length) + bytesFieldSize(message.length));
  writer.data(1, code);
  writer.data(2, message);
  return writer.bytes;
}

export function decodeRpcFailure(bytes: Uint8Array, limits: EnvelopeLimits): RpcFailure {
  const reader = new ProtoReader(bytes);
  let code = '';
  let message = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === 0x0a) code = reader.text('code', limits.maxControlPayloadBytes);
    else if (tag === 0x12) message = reader.text('message', limits.maxControlPayloadBytes);
    else reader.skip(tag);
  }
  requireAtMost('code', code.length, MAX_CODE_CHARS);
  requireAtMost('message', message.length, MAX_MESSAGE_CHARS);
  return { kind: 'rpcFailure', code, message };
}

/** What UTF-8 cannot carry, and the mark of what it could not: half surrogate pairs and U+FFFD. */
const UNCARRIABLE = /[\ud800-\udfff\ufffd]/gu;

/** At most `chars` UTF-16 units of a text, with what UTF-8 cannot carry replaced. */
function cut(text: string, chars: number): string {
  return text.slice(0, chars).replace(UNCARRIABLE, '?');
}
