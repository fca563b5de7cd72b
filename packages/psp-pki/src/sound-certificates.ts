import { sameBytes } from './byte-reader.js';
import type { Sound } from './certificate-rules.js';
import { parseCertificate, peekMasterSignature, type FlatCertificate } from './certificate.js';
import { certificateKey, type CertificateFinder } from './known-certificates.js';

/** A certificate of bytes of its own, and what was found about its signatures. */
interface Entry {
  readonly key: string;
  readonly certificate: FlatCertificate;
  readonly sound: Sound;
  /** How often any was asked for before this one was given its place. */
  placedAt: number;
}

/** Bytes of a certificate for which a place is meant; longer ones take the room of several. */
const BYTES_PER_ENTRY = 4_096;
/** Share of the entries that may be asked for before one that is asked for again goes to the young end again. */
const SHARE_OF_ORDER = 1 / 4;
/** It was held against the limits of whoever had it verified. */
const NO_LIMITS = { maxCertificateBytes: Infinity, maxTrustSignatures: Infinity };

/**
 * Certificates all of whose signatures were verified, as they were read: who publishes comes again and again with the same
 * one. Each takes about 3 KiB. When there is no more room, the one goes that was not asked for longest, or nearly so: a new
 * place for each question would cost as much as the answer.
 *
 * They are found by the master signature, which nobody but the identity can make over anything else, and compared byte by
 * byte: so no digest has to be computed, and nobody can displace another's.
 */
export class SoundCertificates implements CertificateFinder {
  readonly #maxEntries: number;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #asked = 0;
  /** The one that {@link find} gave last: it is mostly the next to be asked for. */
  #found: Entry | undefined;

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
    if (entry === undefined || !sameBytes(entry.certificate.bytes, bytes)) return undefined;
    this.#found = entry;
    return entry.certificate;
  }

  /** What was found about a certificate, which now counts as the one that was asked for last. */
  soundOf(certificate: FlatCertificate): Sound | undefined {
    const found = this.#found?.certificate === certificate ? this.#found : undefined;
    const entry = found ?? this.#entries.get(certificateKey(certificate.masterSignature));
    if (entry === undefined) return undefined;
    const known = entry.certificate;
    if (known !== certificate && !sameBytes(known.bytes, certificate.bytes)) return undefined;
    if (++this.#asked - entry.placedAt > this.#maxEntries * SHARE_OF_ORDER) this.#place(entry);
    return entry.sound;
  }

  /** @param certificate - read anew from a copy, so that the message does not stay that it came in */
  add(certificate: FlatCertificate, sound: Sound, signers: CertificateFinder): void {
    const key = certificateKey(certificate.masterSignature);
    this.#forget(key);
    const read = parseCertificate(certificate.bytes.slice(), NO_LIMITS, signers);
    this.#place({ key, certificate: read, sound, placedAt: 0 });
    this.#bytes += certificate.bytes.length;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxEntries * BYTES_PER_ENTRY) return;
      this.#forget(oldest);
    }
  }

  /** A Map iterates in order of insertion: inserting again moves the entry to the young end. */
  #place(entry: Entry): void {
    entry.placedAt = this.#asked;
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
  }

  #forget(key: string): void {
    if (this.#found?.key === key) this.#found = undefined;
    this.#bytes -= this.#entries.get(key)?.certificate.bytes.length ?? 0;
    this.#entries.delete(key);
  }
}
