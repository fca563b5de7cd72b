/**
 * The payload that binds an identity to its RSA fingerprint (WIRE section 5):
 *
 *     0xAA | X.509 2+n | RSA signature to the end
 *
 * The RSA key signs the flat certificate's signed part as it would be with an empty payload, and the Ed25519 master key
 * signs it with this payload: each vouches for the other.
 */
import { sign, verify, type KeyObject } from 'node:crypto';

import { ByteReader, concatBytes, sameBytes } from './byte-reader.js';
import { encodeSignedPart, type CertificateFields } from './certificate.js';
import { PkiError, refusalOf, refuse, type Refusal } from './errors.js';
import { fingerprintOfRsaKey, rsaKeyOfX509 } from './fingerprint.js';

const MARK = 0xaa;
/** An RSA signature of an 8,192-bit key; there are none longer. */
const MAX_SIGNATURE_BYTES = 1_024;

/** An RSA payload as it was read; both are views of the payload. */
export interface RsaPayload {
  /** DER X.509 identity certificate. */
  readonly x509: Uint8Array;
  /** PKCS#1 v1.5 with SHA-256. */
  readonly signature: Uint8Array;
}

/** That a certificate is bound to an RSA key: its fingerprint, 32 bytes. */
export interface RsaBinding {
  readonly ok: true;
  readonly fingerprint: Uint8Array;
}

function signedByRsa(fields: CertificateFields): Uint8Array {
  return encodeSignedPart({ ...fields, payload: new Uint8Array(0) });
}

/** Whether a payload claims to be one that binds an RSA key. */
export function isRsaPayload(payload: Uint8Array): boolean {
  return payload[0] === MARK;
}

/**
 * Makes the payload for a certificate with these fields; the fields' own payload is ignored.
 *
 * @param x509 - DER identity certificate of the RSA key
 * @throws PkiError as {@link rsaKeyOfX509}; `PKI_INVALID_ARGUMENT` when the private key is not the X.509's
 */
export function buildRsaPayload(fields: CertificateFields, x509: Uint8Array, privateKey: KeyObject): Uint8Array {
  const publicKey = rsaKeyOfX509(x509);
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'rsa') {
    throw new PkiError('PKI_INVALID_KEY', 'an RSA private key is needed');
  }
  const content = signedByRsa(fields);
  const signature = sign('sha256', content, privateKey);
  if (!verify('sha256', content, publicKey, signature)) {
    throw new PkiError('PKI_INVALID_ARGUMENT', 'the private key is not the key of the X.509 certificate');
  }
  return concatBytes(Uint8Array.of(MARK, x509.length >> 8, x509.length & 0xff), x509, signature);
}

/** Splits the payload. Throws `PKI_RSA_PAYLOAD_MALFORMED` or `PKI_TRUNCATED`; the X.509 is not read. */
export function parseRsaPayload(payload: Uint8Array): RsaPayload {
  const reader = new ByteReader(payload);
  if (reader.uint8() !== MARK) throw new PkiError('PKI_RSA_PAYLOAD_MALFORMED', 'the payload does not start with 0xAA');
  const x509 = reader.take(reader.uint16());
  if (reader.remaining === 0 || reader.remaining > MAX_SIGNATURE_BYTES) {
    throw new PkiError('PKI_RSA_PAYLOAD_MALFORMED', 'the RSA signature has an impossible length');
  }
  return { x509, signature: reader.rest() };
}

/** False also where OpenSSL refuses to work with the key at all, such as one with an even modulus. */
function isRsaSignature(content: Uint8Array, publicKey: KeyObject, signature: Uint8Array): boolean {
  try {
    return verify('sha256', content, publicKey, signature);
  } catch {
    return false;
  }
}

/**
 * Verifies the RSA half of the binding and gives the fingerprint. The Ed25519 half is the certificate's own
 * verification: do both. The dates of the X.509 are not judged; the flat certificate's are.
 *
 * @param expectedFingerprint - when given, the binding must be to this one
 */
export function verifyRsaBinding(
  certificate: CertificateFields,
  expectedFingerprint?: Uint8Array,
): RsaBinding | Refusal {
  try {
    const { x509, signature } = parseRsaPayload(certificate.payload);
    const publicKey = rsaKeyOfX509(x509);
    const fingerprint = fingerprintOfRsaKey(publicKey);
    if (expectedFingerprint !== undefined && !sameBytes(fingerprint, expectedFingerprint)) {
      return refuse('PKI_FINGERPRINT_MISMATCH', 'the certificate is bound to another RSA key');
    }
    if (isRsaSignature(signedByRsa(certificate), publicKey, signature)) return { ok: true, fingerprint };
    return refuse('PKI_BAD_RSA_SIGNATURE', 'the RSA signature of the payload does not verify');
  } catch (error) {
    return refusalOf(error);
  }
}
