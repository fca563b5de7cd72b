interface Bucket {
  tokens: number;
  atSeconds: number;
}

/**
 * Token buckets by name, in bounded memory. When there is no room for another name, the one that was used longest ago
 * makes room.
 */
export class RateLimiter {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #maxBuckets: number;
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param perSecond tokens that come back each second; 0 means no limit
   * @param burst tokens of a fresh bucket
   * @param maxBuckets names that are remembered
   */
  constructor(perSecond: number, burst: number, maxBuckets: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#maxBuckets = maxBuckets;
  }

  /** Takes a token of `name` at a time in seconds. @returns false when none is left */
  take(name: string, nowSeconds: number): boolean {
    if (this.#perSecond === 0) return true;
    const held = this.#buckets.get(name);
    const bucket = held ?? { tokens: this.#burst, atSeconds: nowSeconds };
    if (held !== undefined) {
      const since = Math.max(0, nowSeconds - held.atSeconds);
      bucket.tokens = Math.min(this.#burst, held.tokens + since * this.#perSecond);
      bucket.atSeconds = nowSeconds;
      this.#buckets.delete(name);
    } else if (this.#buckets.size >= this.#maxBuckets) {
      const oldest = this.#buckets.keys().next();
      if (oldest.done !== true) this.#buckets.delete(oldest.value);
    }
    this.#buckets.set(name, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}
