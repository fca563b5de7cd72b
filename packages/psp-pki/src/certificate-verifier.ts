import { hash } from 'node:crypto';

import { BoundedCache } from './bounded-cache.js';
import {
  isKnownSigner,
  refusalByClaims,
  refusalByDelegate,
  soundness,
  type SignatureCheck,
  type Sound,
} from './certificate-rules.js';
import type { FlatCertificate } from './certificate.js';
import { refuse, type Refusal, type Verdict } from './errors.js';
import { SignatureVerifier } from './signature-verifier.js';
import { createTrustRoot, type TrustRoot } from './trust-root.js';
import type { VerifyPool } from './verify-pool.js';

/** Options of a {@link CertificateVerifier}. */
export interface CertificateVerifierOptions {
  readonly root: TrustRoot;
  /** Sound certificates to remember, by their digest; default 16,384 (about 2 MiB). */
  readonly cacheEntries?: number;
  /** Imported public keys to keep; default 1,024 (about 1.5 MiB). */
  readonly keyCacheEntries?: number;
  /** Where the asynchronous forms verify signatures; default libuv's thread pool. The caller closes it. */
  readonly pool?: VerifyPool;
}

/** What a verifier did and holds. */
export interface CertificateVerifierStats {
  /** Ed25519 signatures that were really verified. */
  readonly signatureChecks: number;
  /** Certificates whose signatures did not have to be verified again. */
  readonly cacheHits: number;
  readonly cachedCertificates: number;
  readonly cachedSigners: number;
}

/** Entries for the certificates of the root's own authorities; one has a handful of certificates at a time. */
const SIGNER_CACHE_ENTRIES = 1_024;

function digestOf(certificate: FlatCertificate): string {
  return hash('sha256', certificate.bytes, 'base64');
}

/**
 * Judges certificates, and signatures made with them, against one trust root.
 *
 * Only *good* results are remembered, so forged certificates displace nothing, and only those about signatures: dates
 * and trust are judged anew on each call. An authority's certificate is verified once, however many it signed. In the
 * asynchronous forms that also holds for calls that overlap, and the main thread only parses and submits; keep several
 * calls in flight, but bounded: each waits its turn in libuv's pool, which files and DNS use too.
 *
 * No method throws or rejects for anything about the bytes.
 */
export class CertificateVerifier {
  /** The trust root, as validated. */
  readonly root: TrustRoot;
  readonly #signatures: SignatureVerifier;
  readonly #sound: BoundedCache<Sound>;
  readonly #signers = new BoundedCache<true>(SIGNER_CACHE_ENTRIES);
  /** Verifications under way, by digest: whoever asks meanwhile waits for the same one. */
  readonly #pendingSound = new Map<string, Promise<Sound | Refusal>>();
  readonly #pendingSigners = new Map<string, Promise<boolean>>();
  #cacheHits = 0;

  /** Throws `PKI_INVALID_ARGUMENT` for a root that {@link createTrustRoot} would refuse. */
  constructor(options: CertificateVerifierOptions) {
    this.root = createTrustRoot(options.root);
    this.#sound = new BoundedCache(options.cacheEntries ?? 16_384);
    this.#signatures = new SignatureVerifier(options.keyCacheEntries ?? 1_024, options.pool);
  }

  /** Counters since the verifier was made. */
  get stats(): CertificateVerifierStats {
    return {
      signatureChecks: this.#signatures.checks,
      cacheHits: this.#cacheHits,
      cachedCertificates: this.#sound.size,
      cachedSigners: this.#signers.size,
    };
  }

  /** Whether the certificate is to be believed at a moment in Unix seconds; both ends of its validity are inclusive. */
  verify(certificate: FlatCertificate, atSeconds: number): Verdict {
    const refusal = refusalByClaims(certificate, this.root, atSeconds);
    if (refusal !== undefined) return refusal;
    return this.#conclude(certificate, this.#soundness(certificate), atSeconds);
  }

  /** {@link verify} in libuv's thread pool. Never rejects. */
  async verifyAsync(certificate: FlatCertificate, atSeconds: number): Promise<Verdict> {
    const refusal = refusalByClaims(certificate, this.root, atSeconds);
    if (refusal !== undefined) return refusal;
    return this.#conclude(certificate, await this.#soundnessAsync(certificate), atSeconds);
  }

  /**
   * Whether the certificate is to be believed and its key made the signature over exactly these bytes: what a
   * `DiscoverySignature` claims.
   */
  verifySignature(
    certificate: FlatCertificate,
    content: Uint8Array,
    signature: Uint8Array,
    atSeconds: number,
  ): Verdict {
    const verdict = this.verify(certificate, atSeconds);
    if (!verdict.ok) return verdict;
    return messageVerdict(this.#signatures.verify(certificate.publicKey, content, signature));
  }

  /** {@link verifySignature} in libuv's thread pool. Never rejects. */
  async verifySignatureAsync(
    certificate: FlatCertificate,
    content: Uint8Array,
    signature: Uint8Array,
    atSeconds: number,
  ): Promise<Verdict> {
    const verdict = await this.verifyAsync(certificate, atSeconds);
    if (!verdict.ok) return verdict;
    return messageVerdict(await this.#signatures.verifyAsync(certificate.publicKey, content, signature));
  }

  #conclude(certificate: FlatCertificate, sound: Sound | Refusal, atSeconds: number): Verdict {
    if (!sound.ok) return sound;
    return refusalByDelegate(certificate, sound, atSeconds) ?? { ok: true };
  }

  #remembered(digest: string): Sound | undefined {
    const sound = this.#sound.get(digest);
    if (sound !== undefined) this.#cacheHits++;
    return sound;
  }

  #soundness(certificate: FlatCertificate): Sound | Refusal {
    const digest = digestOf(certificate);
    const known = this.#remembered(digest);
    if (known !== undefined) return known;
    const checks = soundness(certificate);
    let step = checks.next();
    while (step.done !== true) step = checks.next(this.#check(step.value));
    if (step.value.ok) this.#sound.set(digest, step.value);
    return step.value;
  }

  #check(check: SignatureCheck): boolean {
    const { publicKey, message, signature, signer } = check;
    if (signer === undefined || !isKnownSigner(signer, this.root)) {
      return this.#signatures.verify(publicKey, message, signature);
    }
    const digest = digestOf(signer);
    if (this.#signers.get(digest) === true) return true;
    const good = this.#signatures.verify(publicKey, message, signature);
    if (good) this.#signers.set(digest, true);
    return good;
  }

  async #soundnessAsync(certificate: FlatCertificate): Promise<Sound | Refusal> {
    const digest = digestOf(certificate);
    const known = this.#remembered(digest);
    if (known !== undefined) return known;
    return sharePending(this.#pendingSound, digest, async () => {
      const checks = soundness(certificate);
      let step = checks.next();
      while (step.done !== true) step = checks.next(await this.#checkAsync(step.value));
      if (step.value.ok) this.#sound.set(digest, step.value);
      return step.value;
    });
  }

  async #checkAsync(check: SignatureCheck): Promise<boolean> {
    const { publicKey, message, signature, signer } = check;
    if (signer === undefined || !isKnownSigner(signer, this.root)) {
      return this.#signatures.verifyAsync(publicKey, message, signature);
    }
    const digest = digestOf(signer);
    if (this.#signers.get(digest) === true) return true;
    return sharePending(this.#pendingSigners, digest, async () => {
      const good = await this.#signatures.verifyAsync(publicKey, message, signature);
      if (good) this.#signers.set(digest, true);
      return good;
    });
  }
}

function messageVerdict(good: boolean): Verdict {
  return good ? { ok: true } : refuse('PKI_BAD_MESSAGE_SIGNATURE', "not signed by the certificate's key");
}

/** Starts the work unless the same is under way, in which case its result is shared. */
function sharePending<T>(pending: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const running = pending.get(key);
  if (running !== undefined) return running;
  const promise = work().finally(() => pending.delete(key));
  pending.set(key, promise);
  return promise;
}
