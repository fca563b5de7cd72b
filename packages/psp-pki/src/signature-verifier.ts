import { BoundedCache } from './bounded-cache.js';
import { ED25519_KEY_BYTES, VerifyingKey } from './ed25519.js';
import type { VerifyPool } from './verify-pool.js';

/** Verifies single signatures with imported keys kept for the next one, up to a bound. */
export class SignatureVerifier {
  readonly #keys: BoundedCache<VerifyingKey>;
  readonly #pool: VerifyPool | undefined;
  #checks = 0;

  constructor(maxKeys: number, pool?: VerifyPool) {
    this.#keys = new BoundedCache(maxKeys);
    this.#pool = pool;
  }

  /** Signatures verified so far. */
  get checks(): number {
    return this.#checks;
  }

  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    const key = this.#keyOf(publicKey);
    if (key === undefined) return false;
    this.#checks++;
    return key.verify(message, signature);
  }

  verifyAsync(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
    if (this.#pool !== undefined) {
      this.#checks++;
      return this.#pool.verify(publicKey, message, signature);
    }
    const key = this.#keyOf(publicKey);
    if (key === undefined) return Promise.resolve(false);
    this.#checks++;
    return key.verifyAsync(message, signature);
  }

  /** {@link verifyAsync} without a promise where the pool verifies. @param tell - called once, perhaps at once */
  verifyThen(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array, tell: (good: boolean) => void): void {
    if (this.#pool === undefined) return void this.verifyAsync(publicKey, message, signature).then(tell);
    this.#checks++;
    this.#pool.verifyThen(publicKey, message, signature, tell);
  }

  #keyOf(publicKey: Uint8Array): VerifyingKey | undefined {
    if (publicKey.length !== ED25519_KEY_BYTES) return undefined;
    const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.byteLength).toString('latin1');
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const key = VerifyingKey.fromBytes(publicKey);
    this.#keys.set(name, key);
    return key;
  }
}
