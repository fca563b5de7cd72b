import { hash } from 'node:crypto';

import {
  isTrustedSigner,
  refusalByClaims,
  refusalByDelegate,
  soundness,
  type SignatureCheck,
  type Sound,
} from './certificate-rules.js';
import {
  assertCertificateSize,
  DEFAULT_MAX_TRUST_SIGNATURES,
  methodByte,
  parseCertificate,
  type CertificateLimits,
  type FlatCertificate,
} from './certificate.js';
import { refuse, type Refusal, type Verdict } from './errors.js';
import { certificateKey, KnownCertificates, type CertificateFinder } from './known-certificates.js';
import { SignatureVerifier } from './signature-verifier.js';
import { SoundCertificates } from './sound-certificates.js';
import { createTrustRoot, type TrustRoot } from './trust-root.js';
import type { VerifyPool } from './verify-pool.js';

/** Options of a {@link CertificateVerifier}. */
export interface CertificateVerifierOptions {
  readonly root: TrustRoot;
  /** Sound certificates to remember, as they were read; default 16,384 (about 3 KiB each). */
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
  /** Certificates of the root's own identities. */
  readonly cachedSigners: number;
}

/** Entries for the certificates of the root's own identities; one has a handful of certificates at a time. */
const SIGNER_CACHE_ENTRIES = 1_024;

const SOUND: Sound = Object.freeze({ ok: true, delegated: false });

function isSelfSigned(bytes: Uint8Array): boolean {
  return bytes[0] === methodByte('selfSigned');
}

function digestOf(certificate: FlatCertificate): string {
  return hash('sha256', certificate.bytes, 'binary');
}

/**
 * Judges certificates, and signatures made with them, against one trust root.
 *
 * Only *good* results are remembered, so forged certificates displace nothing, and only those about signatures: dates
 * and trust are judged anew on each call. An authority's certificate is read and verified once, however many it signed. In the
 * asynchronous forms that also holds for calls that overlap, and the main thread only parses and submits; keep several
 * calls in flight, but bounded: each waits its turn in libuv's pool, which files and DNS use too.
 *
 * No method throws or rejects for anything about the bytes.
 */
export class CertificateVerifier {
  /** The trust root, as validated. */
  readonly root: TrustRoot;
  readonly #signatures: SignatureVerifier;
  /** Those that authorities vouch for. */
  readonly #sound: SoundCertificates;
  /** Self-signed certificates of the root's own identities, all of which hold. */
  readonly #signers = new KnownCertificates(SIGNER_CACHE_ENTRIES);
  /** Verifications under way, by digest or bytes: whoever asks meanwhile waits for the same one. */
  readonly #pendingSound = new Map<string, Promise<Sound | Refusal>>();
  readonly #pendingSigners = new Map<string, Promise<boolean>>();
  #cacheHits = 0;

  /** Throws `PKI_INVALID_ARGUMENT` for a root that {@link createTrustRoot} would refuse. */
  constructor(options: CertificateVerifierOptions) {
    this.root = createTrustRoot(options.root);
    this.#sound = new SoundCertificates(options.cacheEntries ?? 16_384);
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

  /** The certificates of the root's own identities that were verified here, for a parser to refer to. */
  get signers(): CertificateFinder {
    return this.#signers;
  }

  /**
   * Reads a certificate as `parseCertificate` does, but none twice that was found to be sound here and is remembered: what
   * is returned then is a view of other bytes. Says nothing about trust.
   *
   * @throws PkiError as `parseCertificate`
   */
  readCertificate(bytes: Uint8Array, limits: CertificateLimits = {}): FlatCertificate {
    assertCertificateSize(bytes, limits);
    const known = isSelfSigned(bytes) ? this.#signers.find(bytes) : this.#sound.find(bytes);
    const most = limits.maxTrustSignatures ?? DEFAULT_MAX_TRUST_SIGNATURES;
    if (known !== undefined && known.trustSignatures.length <= most) return known;
    return parseCertificate(bytes, limits, this.#signers);
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
  verifySignatureAsync(
    certificate: FlatCertificate,
    content: Uint8Array,
    signature: Uint8Array,
    atSeconds: number,
  ): Promise<Verdict> {
    return new Promise((tell) => this.verifySignatureThen(certificate, content, signature, atSeconds, tell));
  }

  /**
   * {@link verifySignatureAsync} for who asks thousands of times a second: with a pool and a certificate that was verified
   * before, no promise is made.
   *
   * @param tell - called once, perhaps at once; must not throw
   */
  verifySignatureThen(
    certificate: FlatCertificate,
    content: Uint8Array,
    signature: Uint8Array,
    atSeconds: number,
    tell: (verdict: Verdict) => void,
  ): void {
    const refusal = refusalByClaims(certificate, this.root, atSeconds);
    if (refusal !== undefined) return tell(refusal);
    const conclude = (sound: Sound | Refusal): void => {
      const verdict = this.#conclude(certificate, sound, atSeconds);
      if (!verdict.ok) return tell(verdict);
      this.#signatures.verifyThen(certificate.publicKey, content, signature, (good) => tell(messageVerdict(good)));
    };
    const known = this.#remembered(certificate);
    if (known !== undefined) conclude(known);
    else void this.#verifySoundness(certificate).then(conclude);
  }

  #conclude(certificate: FlatCertificate, sound: Sound | Refusal, atSeconds: number): Verdict {
    if (!sound.ok) return sound;
    return refusalByDelegate(certificate, sound, atSeconds) ?? BELIEVED;
  }

  #soundness(certificate: FlatCertificate): Sound | Refusal {
    const known = this.#remembered(certificate);
    if (known !== undefined) return known;
    const checks = soundness(certificate);
    let step = checks.next();
    while (step.done !== true) step = checks.next(step.value.find((check) => !this.#check(check)));
    return this.#remember(certificate, step.value);
  }

  async #soundnessAsync(certificate: FlatCertificate): Promise<Sound | Refusal> {
    return this.#remembered(certificate) ?? this.#verifySoundness(certificate);
  }

  #verifySoundness(certificate: FlatCertificate): Promise<Sound | Refusal> {
    return sharePending(this.#pendingSound, digestOf(certificate), async () => {
      const checks = soundness(certificate);
      let step = checks.next();
      while (step.done !== true) step = checks.next(await this.#firstFailed(step.value));
      return this.#remember(certificate, step.value);
    });
  }

  /** That it was verified before. */
  #remembered(certificate: FlatCertificate): Sound | undefined {
    const isSigner = certificate.method === 'selfSigned' && this.#signers.has(certificate);
    const sound = isSigner ? SOUND : this.#sound.soundOf(certificate);
    if (sound !== undefined) this.#cacheHits++;
    return sound;
  }

  /** A self-signed certificate comes this far only when the root names its identity. */
  #remember(certificate: FlatCertificate, sound: Sound | Refusal): Sound | Refusal {
    if (!sound.ok) return sound;
    if (certificate.method === 'selfSigned') this.#addSigner(certificate);
    else this.#sound.add(certificate, sound, this.#signers);
    return sound;
  }

  /** Read anew from a copy: what is kept must not keep the message alive that it came in. */
  #addSigner(certificate: FlatCertificate): void {
    if (!this.#signers.has(certificate)) this.#signers.add(parseCertificate(certificate.bytes.slice()));
  }

  #check(check: SignatureCheck): boolean {
    const { publicKey, message, signature, signer } = check;
    if (signer !== undefined && this.#signers.has(signer)) return true;
    const good = this.#signatures.verify(publicKey, message, signature);
    if (good && signer !== undefined && isTrustedSigner(signer, this.root)) this.#addSigner(signer);
    return good;
  }

  /** Makes the checks all at once, but for those whose outcome is known. */
  async #firstFailed(checks: readonly SignatureCheck[]): Promise<SignatureCheck | undefined> {
    const open = checks.filter(({ signer }) => signer === undefined || !this.#signers.has(signer));
    const good = await Promise.all(open.map((check) => this.#checkAsync(check)));
    return open[good.indexOf(false)];
  }

  #checkAsync({ publicKey, message, signature, signer }: SignatureCheck): Promise<boolean> {
    if (signer === undefined || !isTrustedSigner(signer, this.root)) {
      return this.#signatures.verifyAsync(publicKey, message, signature);
    }
    return sharePending(this.#pendingSigners, certificateKey(signer.bytes), async () => {
      const good = await this.#signatures.verifyAsync(publicKey, message, signature);
      if (good) this.#addSigner(signer);
      return good;
    });
  }
}

const BELIEVED: Verdict = Object.freeze({ ok: true });

function messageVerdict(good: boolean): Verdict {
  return good ? BELIEVED : refuse('PKI_BAD_MESSAGE_SIGNATURE', "not signed by the certificate's key");
}

/** Starts the work unless the same is under way, in which case its result is shared. */
function sharePending<T>(pending: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const running = pending.get(key);
  if (running !== undefined) return running;
  const promise = work().finally(() => pending.delete(key));
  pending.set(key, promise);
  return promise;
}
