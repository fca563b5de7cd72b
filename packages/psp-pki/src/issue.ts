import { sameBytes } from './byte-reader.js';
import { buildCertificate, encodeSignedPart, type CertificateMethod, type FlatCertificate } from './certificate.js';
import { PkiError } from './errors.js';
import type { SigningKey } from './ed25519.js';
import type { Identity } from './identity.js';

/** An authority that vouches: its self-signed certificate and the private half of that certificate's key. */
export interface Authority {
  readonly certificate: FlatCertificate;
  readonly key: SigningKey;
}

/** What a new certificate shall say. */
export interface CertificateRequest {
  readonly identity: Identity;
  /**
   * Makes the master signature: the key of `identity`; or the certificate's own key, for a regular certificate that an
   * authority certificate of the same identity then signs.
   */
  readonly masterKey: SigningKey;
  /** The key that will sign messages, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Unix seconds, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Default empty. */
  readonly payload?: Uint8Array;
}

function issue(method: CertificateMethod, request: CertificateRequest): FlatCertificate {
  const { identity, masterKey, publicKey, notBefore, notAfter } = request;
  if (notAfter < notBefore) throw new PkiError('PKI_INVALID_ARGUMENT', 'notAfter lies before notBefore');
  const fields = { identity, publicKey, notBefore, notAfter, payload: request.payload ?? new Uint8Array(0) };
  const masterSignature = masterKey.sign(encodeSignedPart(fields));
  return buildCertificate({ method, ...fields, masterSignature });
}

/**
 * Issues a self-signed certificate: authorities and discovery nodes have these.
 *
 * @throws PkiError `PKI_INVALID_ARGUMENT` when the master key is not the identity's or the validity is reversed
 */
export function issueSelfSignedCertificate(request: CertificateRequest): FlatCertificate {
  if (!sameBytes(request.masterKey.publicKey, request.identity.publicKey)) {
    throw new PkiError('PKI_INVALID_ARGUMENT', "a self-signed certificate is signed by the identity's own key");
  }
  return issue('selfSigned', request);
}

/**
 * Issues a regular certificate and has it signed by the authorities given (none is allowed: others may sign later).
 *
 * @throws PkiError `PKI_INVALID_ARGUMENT` when the master key is neither the identity's nor the certificate's, the
 *   validity is reversed, or an authority's key is not that of its certificate
 */
export function issueRegularCertificate(
  request: CertificateRequest,
  authorities: readonly Authority[] = [],
): FlatCertificate {
  const master = request.masterKey.publicKey;
  if (!sameBytes(master, request.identity.publicKey) && !sameBytes(master, request.publicKey)) {
    throw new PkiError('PKI_INVALID_ARGUMENT', "the master key is neither the identity's nor the certificate's");
  }
  const certificate = issue('regular', request);
  return authorities.length === 0 ? certificate : withTrustSignatures(certificate, authorities);
}

/**
 * A copy of a regular certificate with one more trust signature at the end.
 *
 * @throws PkiError `PKI_INVALID_ARGUMENT` when the certificate is self-signed, or the authority's key is not that of its
 *   certificate; `PKI_SIGNER_NOT_SELF_SIGNED` for an authority without a self-signed certificate
 */
export function addTrustSignature(certificate: FlatCertificate, authority: Authority): FlatCertificate {
  if (certificate.method !== 'regular') {
    throw new PkiError('PKI_INVALID_ARGUMENT', 'only a regular certificate carries trust signatures');
  }
  return withTrustSignatures(certificate, [authority]);
}

function withTrustSignatures(certificate: FlatCertificate, authorities: readonly Authority[]): FlatCertificate {
  const added = authorities.map((authority) => {
    if (!sameBytes(authority.key.publicKey, authority.certificate.publicKey)) {
      throw new PkiError('PKI_INVALID_ARGUMENT', "the authority's key is not the key of its certificate");
    }
    return { signature: authority.key.sign(certificate.wholeBody), certificate: authority.certificate };
  });
  return buildCertificate({ ...certificate, trustSignatures: [...certificate.trustSignatures, ...added] });
}
