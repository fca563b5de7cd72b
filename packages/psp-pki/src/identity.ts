import { hash } from 'node:crypto';

import { decodeBase58, encodeBase58 } from './base58.js';
import { ED25519_KEY_BYTES } from './ed25519.js';
import { PkiError } from './errors.js';

/** Whom an identity names: a user's account or a node of the network. */
export type IdentityType = 'account' | 'node';

/** The parts of an identity (WIRE section 5). */
export interface IdentityParts {
  /** The network's or an application's name space, for example `xpx`. */
  readonly namespace: string;
  /** The role inside it, for example `discovery`, `onion` or `auth`. */
  readonly subNamespace: string;
  readonly type: IdentityType;
  /** The raw Ed25519 master key, 32 bytes. Do not change them. */
  readonly publicKey: Uint8Array;
}

/** An identity whose checksum was verified, with its one text form. */
export interface Identity extends IdentityParts {
  /** `namespace.sub-namespace.type.key`, at most 255 ASCII characters. Two identities are equal when their texts are. */
  readonly text: string;
}

/** Longest identity, in characters. */
export const MAX_IDENTITY_CHARS = 255;

const CHECKSUM_BYTES = 4;
const KEY_BYTES = ED25519_KEY_BYTES + CHECKSUM_BYTES;
/** 36 bytes in base58 take 36 characters (all zero) to 50. */
const MAX_KEY_CHARS = 50;
const NAME = /^[A-Za-z0-9_-]+$/;

function sha256(data: string | Uint8Array): Buffer {
  return hash('sha256', data, 'buffer');
}

/** First 4 bytes of the double SHA-256 of the names and the key in upper-case hex. */
function checksumOf(names: string, publicKey: Uint8Array): Buffer {
  const hex = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.byteLength).toString('hex').toUpperCase();
  return sha256(sha256(`${names}.${hex}`)).subarray(0, CHECKSUM_BYTES);
}

function isType(type: string): type is IdentityType {
  return type === 'account' || type === 'node';
}

function malformed(why: string): PkiError {
  return new PkiError('PKI_IDENTITY_MALFORMED', why);
}

/**
 * The text of an identity, with its checksum.
 *
 * @throws PkiError `PKI_IDENTITY_MALFORMED` for a name that is empty or not of letters, digits, `-` and `_`, another
 *   type, or a text over {@link MAX_IDENTITY_CHARS}; `PKI_INVALID_KEY` for a key that has not 32 bytes
 */
export function formatIdentity(parts: IdentityParts): string {
  const { namespace, subNamespace, type, publicKey } = parts;
  if (publicKey.length !== ED25519_KEY_BYTES) throw new PkiError('PKI_INVALID_KEY', 'a public key has 32 bytes');
  if (!isType(type)) throw malformed('an identity is of type account or node');
  // Lengths first, so that no pattern runs over a text of any length.
  if (namespace.length + subNamespace.length > MAX_IDENTITY_CHARS) throw malformed('the identity is too long');
  if (!NAME.test(namespace) || !NAME.test(subNamespace)) throw malformed('a name has letters, digits, - and _ only');
  const names = `${namespace}.${subNamespace}.${type}`;
  const keyed = new Uint8Array(KEY_BYTES);
  keyed.set(publicKey);
  keyed.set(checksumOf(names, publicKey), ED25519_KEY_BYTES);
  const text = `${names}.${encodeBase58(keyed)}`;
  if (text.length > MAX_IDENTITY_CHARS) throw malformed('the identity is too long');
  return text;
}

/** {@link formatIdentity}, with the parts beside the text. The key is copied. */
export function createIdentity(parts: IdentityParts): Identity {
  const text = formatIdentity(parts);
  const { namespace, subNamespace, type } = parts;
  return { namespace, subNamespace, type, publicKey: Uint8Array.from(parts.publicKey), text };
}

/**
 * Reads an identity and verifies its checksum. About 6 us.
 *
 * @throws PkiError `PKI_IDENTITY_MALFORMED`, `PKI_BASE58` or `PKI_IDENTITY_CHECKSUM`
 */
export function parseIdentity(text: string): Identity {
  if (text.length > MAX_IDENTITY_CHARS) throw malformed('the identity is too long');
  const [namespace, subNamespace, type, key, ...more] = text.split('.');
  if (namespace === undefined || subNamespace === undefined || type === undefined || key === undefined) {
    throw malformed('an identity has four parts');
  }
  if (more.length > 0) throw malformed('an identity has four parts');
  if (!NAME.test(namespace) || !NAME.test(subNamespace)) throw malformed('a name has letters, digits, - and _ only');
  if (!isType(type)) throw malformed('an identity is of type account or node');
  if (key.length > MAX_KEY_CHARS) throw malformed('the key is too long');
  const keyed = decodeBase58(key);
  if (keyed.length !== KEY_BYTES) throw malformed('the key has 32 bytes and a checksum of 4');
  const publicKey = keyed.subarray(0, ED25519_KEY_BYTES);
  const checksum = checksumOf(text.slice(0, text.length - key.length - 1), publicKey);
  if (Buffer.compare(checksum, keyed.subarray(ED25519_KEY_BYTES)) !== 0) {
    throw new PkiError('PKI_IDENTITY_CHECKSUM', 'the checksum does not belong to this identity');
  }
  return { namespace, subNamespace, type, publicKey, text };
}
