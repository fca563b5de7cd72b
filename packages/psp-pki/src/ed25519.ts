/**
 * Ed25519 by Node's own crypto, with raw 32-byte keys.
 *
 * Keys go in and out as JWK: on the reference machine a public key costs 7 us that way and 76 us as SPKI DER, a private
 * key 37 us against 348 us as PKCS#8. A verification costs about 90 us on the main thread; the asynchronous form runs in
 * libuv's thread pool and leaves the main thread about 10 us of it.
 */
import { createPrivateKey, createPublicKey, randomBytes, sign, verify, type KeyObject } from 'node:crypto';

import { PkiError } from './errors.js';

/** Length of a raw Ed25519 public key or seed, in bytes. */
export const ED25519_KEY_BYTES = 32;
/** Length of an Ed25519 signature, in bytes. */
export const ED25519_SIGNATURE_BYTES = 64;

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
/** The public half that the JWK of a private key has to name; Node derives the true one from the seed. */
const PLACEHOLDER_X = Buffer.alloc(ED25519_KEY_BYTES).toString('base64url');

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

function assertLength(bytes: Uint8Array, what: string): void {
  if (bytes.length !== ED25519_KEY_BYTES) {
    throw new PkiError('PKI_INVALID_KEY', `${what} has 32 bytes`, { length: bytes.length });
  }
}

function exportedX(key: KeyObject): string | undefined {
  return key.export({ format: 'jwk' }).x;
}

/** Imports a seed the cheap way, or the standard way on a Node that does not derive the public half itself. */
function importSeed(seed: Uint8Array): KeyObject {
  try {
    const jwk = { kty: 'OKP', crv: 'Ed25519', d: base64url(seed), x: PLACEHOLDER_X };
    const key = createPrivateKey({ key: jwk, format: 'jwk' });
    if (exportedX(key) !== PLACEHOLDER_X) return key;
  } catch {
    // This Node compares `x` with the seed: take the other form.
  }
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

let objectOf: (key: SigningKey) => KeyObject;

/** What a thread of this process needs to sign with the key; inside this package only, since it can be exported. */
export function keyObjectOf(key: SigningKey): KeyObject {
  return objectOf(key);
}

/** A private key that signs. Never logged, never serialised: only its public half can be read. */
export class SigningKey {
  readonly #key: KeyObject;
  /** The raw public key, 32 bytes. Do not change them. */
  readonly publicKey: Uint8Array;

  static {
    objectOf = (key) => key.#key;
  }

  private constructor(key: KeyObject) {
    this.#key = key;
    this.publicKey = new Uint8Array(Buffer.from(exportedX(key) ?? '', 'base64url'));
  }

  /** The key of a 32-byte seed (RFC 8032). The seed is copied. Throws `PKI_INVALID_KEY` for another length. */
  static fromSeed(seed: Uint8Array): SigningKey {
    assertLength(seed, 'a seed');
    return new SigningKey(importSeed(seed));
  }

  /** A new key from the system's random source. */
  static generate(): SigningKey {
    return SigningKey.fromSeed(randomBytes(ED25519_KEY_BYTES));
  }

  /** Signs; 64 new bytes. Deterministic: the same message gives the same signature. About 31 us. */
  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, message, this.#key));
  }

  /** Signs in libuv's thread pool. The caller must not change the message before the promise settles. */
  signAsync(message: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      sign(null, message, this.#key, (error, signature) => {
        if (error === null) resolve(new Uint8Array(signature));
        else reject(error);
      });
    });
  }
}

/** A public key that was imported once and verifies many signatures. */
export class VerifyingKey {
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    this.#key = key;
  }

  /** Imports 32 raw bytes; about 7 us. Throws `PKI_INVALID_KEY` for another length. */
  static fromBytes(publicKey: Uint8Array): VerifyingKey {
    assertLength(publicKey, 'a public key');
    try {
      const jwk = { kty: 'OKP', crv: 'Ed25519', x: base64url(publicKey) };
      return new VerifyingKey(createPublicKey({ key: jwk, format: 'jwk' }));
    } catch (cause) {
      throw new PkiError('PKI_INVALID_KEY', 'the public key cannot be imported', {}, cause);
    }
  }

  /** Whether the signature is this key's over the message. False, never an exception, for anything malformed. */
  verify(message: Uint8Array, signature: Uint8Array): boolean {
    return signature.length === ED25519_SIGNATURE_BYTES && verify(null, message, this.#key, signature);
  }

  /** {@link verify} in libuv's thread pool. Never rejects. */
  verifyAsync(message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (signature.length !== ED25519_SIGNATURE_BYTES) return Promise.resolve(false);
    return new Promise((resolve) => {
      verify(null, message, this.#key, signature, (error, good) => {
        resolve(error === null && good);
      });
    });
  }
}

/** Verifies one signature. False for a key or signature of the wrong length. For a key that repeats, import it once. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return publicKey.length === ED25519_KEY_BYTES && VerifyingKey.fromBytes(publicKey).verify(message, signature);
}

/** {@link verifyEd25519} in libuv's thread pool. Never rejects. */
export function verifyEd25519Async(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== ED25519_KEY_BYTES) return Promise.resolve(false);
  return VerifyingKey.fromBytes(publicKey).verifyAsync(message, signature);
}
