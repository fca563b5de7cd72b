/**
 * Ed25519 with raw 32-byte keys, by Node's own crypto or, where it is installed, by libsodium.
 *
 * Keys go into Node's crypto as JWK: on the reference machine a public key costs 7 us that way and 76 us as SPKI DER, a private
 * key 37 us against 348 us as PKCS#8. A verification costs about 100 us there, and 50 by libsodium; the asynchronous form runs
 * in libuv's thread pool, always by Node's crypto, and leaves the main thread about 10 us of it.
 */
import { createPrivateKey, createPublicKey, randomBytes, sign, verify, type KeyObject } from 'node:crypto';

import { PkiError } from './errors.js';
import { libsodium, type SodiumSecret } from './libsodium.js';

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

/** The seed of a private key; the caller must not keep it. */
function seedOf(key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
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
  #sodiumSecret: SodiumSecret | undefined;
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

  /** Signs; 64 new bytes. Deterministic: the same message gives the same signature. About 38 us, 20 by libsodium. */
  sign(message: Uint8Array): Uint8Array {
    return this.#signFast(message) ?? new Uint8Array(sign(null, message, this.#key));
  }

  #signFast(message: Uint8Array): Uint8Array | undefined {
    const sodium = libsodium();
    if (sodium === undefined) return undefined;
    this.#sodiumSecret ??= sodium.secretOf(seedOf(this.#key));
    return sodium.sign(this.#sodiumSecret, message);
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

/** A public key that verifies many signatures; what Node's crypto needs of it is made once, when that is asked first. */
export class VerifyingKey {
  readonly #publicKey: Uint8Array;
  #key: KeyObject | undefined;

  private constructor(publicKey: Uint8Array) {
    this.#publicKey = publicKey;
  }

  /** Takes a copy of 32 raw bytes. Throws `PKI_INVALID_KEY` for another length. */
  static fromBytes(publicKey: Uint8Array): VerifyingKey {
    assertLength(publicKey, 'a public key');
    return new VerifyingKey(new Uint8Array(publicKey));
  }

  /** Whether the signature is this key's over the message. False, never an exception, for anything malformed. */
  verify(message: Uint8Array, signature: Uint8Array): boolean {
    if (signature.length !== ED25519_SIGNATURE_BYTES) return false;
    // What libsodium refuses is for Node's crypto to judge, whose rules are the network's.
    return (
      libsodium()?.accepts(this.#publicKey, message, signature) === true ||
      verify(null, message, this.#imported(), signature)
    );
  }

  /** {@link verify} in libuv's thread pool. Never rejects. */
  verifyAsync(message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (signature.length !== ED25519_SIGNATURE_BYTES) return Promise.resolve(false);
    return new Promise((resolve) => {
      verify(null, message, this.#imported(), signature, (error, good) => {
        resolve(error === null && good);
      });
    });
  }

  #imported(): KeyObject {
    this.#key ??= createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: base64url(this.#publicKey) },
      format: 'jwk',
    });
    return this.#key;
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
