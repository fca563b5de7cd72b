/**
 * Ed25519 by libsodium, which takes half of the time that Node's crypto takes, where the optional package `sodium-native` is
 * installed.
 *
 * The two libraries do not refuse the same: libsodium refuses keys of small order, Node's crypto and the deployed network take
 * them. Nodes that judged differently could be set against each other by who signs with such a key, so only what
 * libsodium accepts is final, and what it refuses is for Node's crypto to judge. That is sound as long as libsodium accepts nothing
 * that Node's crypto refuses, as a release with the cofactored equation would: signatures that only such a one accepts are
 * tried first, and who accepts one is not used.
 */
import { createRequire } from 'node:module';

/** A longer message is verified by Node's crypto: beyond some 60 KiB its faster SHA-512 counts for more than the curve. */
export const MAX_SODIUM_VERIFY_BYTES = 32_768;
/** A longer message is signed by Node's crypto; signing hashes a message twice. */
export const MAX_SODIUM_SIGN_BYTES = 8_192;

const PUBLIC_KEY_BYTES = 32;
const SECRET_KEY_BYTES = 64;
const SIGNATURE_BYTES = 64;

/** What is used of `sodium-native`, by its own names. It must not be given shared memory. */
interface SodiumNative {
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

/** A key in libsodium's own form. */
export type SodiumSecret = Uint8Array & { readonly brand: unique symbol };

const TRIAL_MESSAGE = Uint8Array.of(0);
const TRIAL_KEY = bytesOf('tfyAC2Xp0lRRgapkvwO7OT2ZWNcsS6XgYFhb8UdP9Vg=');
/** A sound signature over the message. */
const SOUND = bytesOf('9TflZmPvErsH5p2qhOWPhKumRC9DTVoiBtsFPl5bn2udntx6pg2YL5YcSovOg4E6MJavQpP1Z5RwnUZvvuf6Cg==');
/** Keys and signatures over the message that RFC 8032 without the cofactor refuses. */
const UNSOUND: readonly (readonly [publicKey: Uint8Array, signature: Uint8Array])[] = [
  // The point of the signature has a part of order 8.
  [TRIAL_KEY, bytesOf('GFN+9aBJjBth9lnWHp0J2FmWWkigSMPS5DvakYJ6mJD8axL1j4/+U3cUSjSpgkXMJEcmbErPMAViMy+y0npzCA==')],
  // The key has one.
  [
    bytesOf('qFeaf+GQxjFDLKfBM21XTKRd0ezfBSJ2EVYv4odjv38='),
    bytesOf('9TflZmPvErsH5p2qhOWPhKumRC9DTVoiBtsFPl5bn2sz3TqbAXCei6bih8FCuKxX2ahM5xsEQPxnMlXWfbtUBw=='),
  ],
  // The number of the signature is greater than the order of the group.
  [TRIAL_KEY, bytesOf('9TflZmPvErsH5p2qhOWPhKumRC9DTVoiBtsFPl5bn2uKctLXwHCqh2y5QS6tfWBPMJavQpP1Z5RwnUZvvuf6Gg==')],
];

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

/** libsodium, as far as this package needs it. */
export class Libsodium {
  /** The file that a thread of this process loads to have the same. */
  readonly path: string;
  readonly #native: SodiumNative;

  private constructor(path: string, native: SodiumNative) {
    this.path = path;
    this.#native = native;
  }

  /**
   * @param requireHere - gives `require` as a module of this package has it; a bundle may have none
   * @returns undefined when the package is not there, cannot be loaded on this machine, or judges by other rules
   */
  static load(requireHere: () => NodeJS.Require): Libsodium | undefined {
    try {
      const load = requireHere();
      const path = load.resolve('sodium-native');
      const found = new Libsodium(path, load(path) as SodiumNative);
      return found.#isOfOurRules() ? found : undefined;
    } catch {
      // Not installed, or not made for this machine: Node's crypto does the same, only slower.
      return undefined;
    }
  }

  /** Whether the signature is good beyond doubt. What is refused may still be good: ask Node's crypto. */
  accepts(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    return (
      message.length <= MAX_SODIUM_VERIFY_BYTES &&
      !(isShared(message) || isShared(signature) || isShared(publicKey)) &&
      this.#native.crypto_sign_verify_detached(signature, message, publicKey)
    );
  }

  /**
   * The key of a seed of 32 bytes. Not in libsodium's own fenced memory, of which each piece takes four maps of the kernel's 65,530 and
   * several pages: who issues certificates for a whole network has more keys than that.
   */
  secretOf(seed: Uint8Array): SodiumSecret {
    // Outside of V8's heap, so that no collection leaves copies behind.
    const secret = new Uint8Array(Buffer.allocUnsafeSlow(SECRET_KEY_BYTES).buffer);
    this.#native.crypto_sign_seed_keypair(new Uint8Array(PUBLIC_KEY_BYTES), secret, seed);
    return secret as SodiumSecret;
  }

  /** Signs; 64 new bytes, those that Node's crypto makes. Undefined for a message that is faster, or safe, only there. */
  sign(secret: SodiumSecret, message: Uint8Array): Uint8Array | undefined {
    if (message.length > MAX_SODIUM_SIGN_BYTES || isShared(message)) return undefined;
    const signature = new Uint8Array(SIGNATURE_BYTES);
    this.#native.crypto_sign_detached(signature, message, secret);
    return signature;
  }

  #isOfOurRules(): boolean {
    return (
      this.accepts(TRIAL_KEY, TRIAL_MESSAGE, SOUND) &&
      !UNSOUND.some(([publicKey, signature]) => this.accepts(publicKey, TRIAL_MESSAGE, signature))
    );
  }
}

let used: { readonly libsodium: Libsodium | undefined } | undefined;

/** libsodium where it is installed; looked for once, when the first signature is made or verified (some 20 ms). */
export function libsodium(): Libsodium | undefined {
  used ??= { libsodium: Libsodium.load(() => createRequire(import.meta.url)) };
  return used.libsodium;
}

/** Which library makes and verifies Ed25519 signatures in this process. Their verdicts are the same. */
export function ed25519Library(): 'libsodium' | 'node:crypto' {
  return libsodium() === undefined ? 'node:crypto' : 'libsodium';
}
