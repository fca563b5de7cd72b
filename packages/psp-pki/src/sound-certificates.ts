import { sameBytes } from './byte-reader.js';
import type { Sound } from './certificate-rules.js';
import { parseCertificate, peekMasterSignature, type FlatCertificate } from './certificate.js';
import { certificateKey, type CertificateFinder } from './known-certificates.js';

/** A certificate of bytes of its own, and what was found about its signatures. */
interface Entry {
  readonly certificate: FlatCertificate;
  readonly sound: Sound;
}

/** Bytes of a certificate for which a place is meant; longer ones take the room of several. */
const BYTES_PER_ENTRY = 4_096;
/** It was held against the limits of whoever had it verified. */
const NO_LIMITS = { maxCertificateBytes: Infinity, maxTrustSignatures: Infinity };

/**
 * Certificates all of whose signatures were verified, as they were read: who publishes comes again and again with the same
 * one. Each takes about 3 KiB. When there is no more room, the one goes that was not asked for longest.
 *
 * They are found by the master signature, which nobody but the identity can make over anything else, and compared byte by
 * byte: so no digest has to be computed, and nobody can displace another's.
 */
export class SoundCertificates implements CertificateFinder {
  readonly #maxEntries: number;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  /** @param maxEntries - each of 4,096 bytes at most; fewer when they are longer */
  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  find(bytes: Uint8Array): FlatCertificate | undefined {
    const name = peekMasterSignature(bytes);
    const entry = name === undefined ? undefined : this.#entries.get(certificateKey(name));
    return entry !== undefined && sameBytes(entry.certificate.bytes, bytes) ? entry.certificate : undefined;
  }

  /** What was found about a certificate, which now counts as the one that was asked for last. */
  soundOf(certificate: FlatCertificate): Sound | undefined {
    const key = certificateKey(certificate.masterSignature);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const known = entry.certificate;
    if (known !== certificate && !sameBytes(known.bytes, certificate.bytes)) return undefined;
    // A Map iterates in order of insertion: inserting again moves the entry to the young end.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.sound;
  }

  /** @param certificate - read anew from a copy, so that the message does not stay that it came in */
  add(certificate: FlatCertificate, sound: Sound, signers: CertificateFinder): void {
    const key = certificateKey(certificate.masterSignature);
    this.#forget(key);
    this.#entries.set(key, { certificate: parseCertificate(certificate.bytes.slice(), NO_LIMITS, signers), sound });
    this.#bytes += certificate.bytes.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxEntries * BYTES_PER_ENTRY) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#entries.get(key)?.certificate.bytes.length ?? 0;
    this.#entries.delete(key);
  }
}
