import type { CertificateVerifier } from './certificate-verifier.js';
import type { CertificateLimits, FlatCertificate } from './certificate.js';
import { refusalOf, type Refusal } from './errors.js';

/** A signature that travels apart from what it covers, with the signer's certificate: proto `DiscoverySignature`. */
export interface DetachedSignature {
  /** Bytes of a flat certificate. */
  readonly certificate: Uint8Array;
  /** By the certificate's key over the content, 64 bytes. */
  readonly signature: Uint8Array;
}

/** A detached signature that is to be believed; the certificate says whose it is. */
export interface OpenedSignature {
  readonly ok: true;
  readonly certificate: FlatCertificate;
}

/**
 * Reads the certificate of a detached signature and verifies both at a moment in Unix seconds: what cannot be read is a
 * refusal like any other. Never rejects. The caller must not change the bytes before the promise settles.
 *
 * @param content - exactly the bytes that were carried, never an encoding made anew
 */
export async function openDetachedSignatureAsync(
  detached: DetachedSignature,
  content: Uint8Array,
  verifier: CertificateVerifier,
  atSeconds: number,
  limits: CertificateLimits = {},
): Promise<OpenedSignature | Refusal> {
  let certificate: FlatCertificate;
  try {
    certificate = verifier.readCertificate(detached.certificate, limits);
  } catch (error) {
    return refusalOf(error);
  }
  const verdict = await verifier.verifySignatureAsync(certificate, content, detached.signature, atSeconds);
  return verdict.ok ? { ok: true, certificate } : verdict;
}
