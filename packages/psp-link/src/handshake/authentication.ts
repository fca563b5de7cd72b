import { sign, timingSafeEqual, verify, type KeyObject } from 'node:crypto';
import { LinkError } from '../errors.js';

/** What both ends saw of a connection; each field 32 bytes. They agree when nobody stands between them. */
export interface AuthenticationFacts {
  readonly initiatorFingerprint: Uint8Array;
  readonly responderFingerprint: Uint8Array;
  /** SHA-256 of all bytes that the responder sent, up to and including authChallenge. */
  readonly responderTranscript: Uint8Array;
  /** SHA-256 of all bytes that the initiator sent before the authenticate cell. */
  readonly initiatorTranscript: Uint8Array;
  /** SHA-256 of the responder's TLS certificate. */
  readonly tlsCertificate: Uint8Array;
  /** Keying material of RFC 5705, see {@link EXPORTER_LABEL}. */
  readonly tlsSecret: Uint8Array;
}

/** Label and context of the keying material. */
export const EXPORTER_LABEL = 'EXPORTER: PSP handshake';
export const EXPORTER_CONTEXT = 'PSP handshake TLS cross-certification\0';
export const EXPORTER_BYTES = 32;

/** Random bytes in an authentication. */
export const NONCE_BYTES = 24;

const TYPE = new TextEncoder().encode('AUTH0001');

/** The fields in the order in which they stand in an authentication (WIRE.md, section 4). */
const FIELDS = [
  'initiatorFingerprint',
  'responderFingerprint',
  'responderTranscript',
  'initiatorTranscript',
  'tlsCertificate',
  'tlsSecret',
] as const satisfies readonly (keyof AuthenticationFacts)[];

/** Bytes of every field, and of the two ends of the signed part. */
const FIELD_BYTES = 32;
const SIGNED_BYTES = TYPE.length + FIELDS.length * FIELD_BYTES + NONCE_BYTES;

/**
 * The authentication of an initiator, type 1: the facts, a nonce, and an RSA signature of both.
 *
 * @param nonce 24 random bytes
 * @param key RSA, private, of the authenticate certificate
 */
export function buildAuthentication(facts: AuthenticationFacts, nonce: Uint8Array, key: KeyObject): Uint8Array {
  const signed = Buffer.concat([TYPE, ...FIELDS.map((field) => facts[field]), nonce]);
  return new Uint8Array(Buffer.concat([signed, sign('sha256', signed, key)]));
}

/**
 * Compares an authentication with what this end saw, every field in constant time and all of them whatever the first
 * says, and verifies its signature.
 *
 * @param key RSA, public, of the authenticate certificate
 * @throws LinkError LINK_AUTHENTICATION_FAILED; `details.field` is the first that differs
 */
export function checkAuthentication(authentication: Uint8Array, facts: AuthenticationFacts, key: KeyObject): void {
  if (authentication.length <= SIGNED_BYTES) throw failed('length');
  const wrong: string[] = [];
  if (!timingSafeEqual(authentication.subarray(0, TYPE.length), TYPE)) wrong.push('type');
  FIELDS.forEach((field, i) => {
    const at = TYPE.length + i * FIELD_BYTES;
    if (!timingSafeEqual(authentication.subarray(at, at + FIELD_BYTES), facts[field])) wrong.push(field);
  });
  const signed = authentication.subarray(0, SIGNED_BYTES);
  if (!isSigned(signed, authentication.subarray(SIGNED_BYTES), key)) wrong.push('signature');
  const [first] = wrong;
  if (first !== undefined) throw failed(first);
}

function isSigned(content: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  try {
    return verify('sha256', content, key, signature);
  } catch {
    return false;
  }
}

function failed(field: string): LinkError {
  return new LinkError('LINK_AUTHENTICATION_FAILED', 'the authentication is not of this connection', { field });
}
