import type { FlatCertificate } from './certificate.js';

/** Finds certificates that were read before, so that they need not be read again. */
export interface CertificateFinder {
  /** The certificate of exactly these bytes, when it is known. */
  find(bytes: Uint8Array): FlatCertificate | undefined;
}

/**
 * Certificates that many others repeat, found by their bytes: one that is here needs neither be read nor verified again.
 * Only certificates that hold may come in, so forged ones displace nothing; when it is full, the oldest goes.
 */
export class KnownCertificates implements CertificateFinder {
  readonly #maxEntries: number;
  readonly #byBytes = new Map<string, FlatCertificate>();
  readonly #known = new WeakSet<FlatCertificate>();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#byBytes.size;
  }

  find(bytes: Uint8Array): FlatCertificate | undefined {
    return this.#byBytes.get(certificateKey(bytes));
  }

  /** Whether this certificate, or one of the same bytes, is here. */
  has(certificate: FlatCertificate): boolean {
    return this.#known.has(certificate) || this.find(certificate.bytes) !== undefined;
  }

  /** @param certificate - verified; of bytes of its own, since it is kept and they with it */
  add(certificate: FlatCertificate): void {
    const key = certificateKey(certificate.bytes);
    if (this.#byBytes.has(key)) return;
    this.#byBytes.set(key, certificate);
    this.#known.add(certificate);
    if (this.#byBytes.size <= this.#maxEntries) return;
    for (const [oldest, forgotten] of this.#byBytes) {
      this.#byBytes.delete(oldest);
      this.#known.delete(forgotten);
      return;
    }
  }
}

/** The bytes as a string, one code unit a byte: distinct for distinct bytes, and no digest has to be computed. */
export function certificateKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
