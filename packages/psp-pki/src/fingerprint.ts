import { X509Certificate, hash, type KeyObject } from 'node:crypto';

import { PkiError } from './errors.js';

/** Length of a fingerprint, in bytes. */
export const FINGERPRINT_BYTES = 32;

/** Longest DER X.509 certificate that is read, in bytes: what a 2-byte length can say. */
export const MAX_X509_BYTES = 65_535;

/** An RSA key longer than this is refused: verifying with it would cost too much. */
const MAX_RSA_BITS = 8_192;

/**
 * The RSA public key of a DER X.509 certificate. Dates, issuer and signature of the X.509 are not looked at.
 *
 * @param minRsaBits - least length of the modulus; default 2,048 (WIRE section 4)
 * @throws PkiError `PKI_TOO_LARGE` or `PKI_X509_MALFORMED`
 */
export function rsaKeyOfX509(der: Uint8Array, minRsaBits = 2_048): KeyObject {
  if (der.length > MAX_X509_BYTES) throw new PkiError('PKI_TOO_LARGE', 'the X.509 certificate is over 65,535 bytes');
  const key = readX509Key(der);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < minRsaBits || bits > MAX_RSA_BITS) {
    throw new PkiError('PKI_X509_MALFORMED', 'the key is not RSA of an accepted length', { bits });
  }
  return key;
}

function readX509Key(der: Uint8Array): KeyObject {
  let certificate: X509Certificate;
  let key: KeyObject;
  try {
    certificate = new X509Certificate(der);
    key = certificate.publicKey;
  } catch (cause) {
    throw new PkiError('PKI_X509_MALFORMED', 'the X.509 certificate cannot be read', {}, cause);
  }
  // OpenSSL reads PEM as well and stops at the end of the first certificate; neither is what was signed or bound.
  if (Buffer.compare(certificate.raw, der) !== 0) {
    throw new PkiError('PKI_X509_MALFORMED', 'the bytes are not exactly one DER certificate');
  }
  return key;
}

/**
 * The fingerprint of an RSA public key: SHA-256 of its PKCS#1 `RSAPublicKey` DER, which is what the `subjectPublicKey`
 * BIT STRING of an X.509 certificate holds (WIRE section 4). 32 new bytes.
 *
 * @throws PkiError `PKI_INVALID_KEY` for a key that is not RSA
 */
export function fingerprintOfRsaKey(publicKey: KeyObject): Uint8Array {
  if (publicKey.type !== 'public' || publicKey.asymmetricKeyType !== 'rsa') {
    throw new PkiError('PKI_INVALID_KEY', 'a fingerprint is of an RSA public key');
  }
  return new Uint8Array(hash('sha256', publicKey.export({ type: 'pkcs1', format: 'der' }), 'buffer'));
}

/**
 * The fingerprint of a node from its X.509 identity certificate.
 *
 * @throws PkiError as {@link rsaKeyOfX509}
 */
export function fingerprintOfX509(der: Uint8Array, minRsaBits = 2_048): Uint8Array {
  return fingerprintOfRsaKey(rsaKeyOfX509(der, minRsaBits));
}

/** A fingerprint as text: 64 upper-case hex digits. Throws `PKI_INVALID_ARGUMENT` for another length. */
export function formatFingerprint(fingerprint: Uint8Array): string {
  if (fingerprint.length !== FINGERPRINT_BYTES) {
    throw new PkiError('PKI_INVALID_ARGUMENT', 'a fingerprint has 32 bytes');
  }
  return Buffer.from(fingerprint).toString('hex').toUpperCase();
}

/** The bytes of a fingerprint's text, or undefined when it is not 64 upper-case hex digits. */
export function parseFingerprint(text: string): Uint8Array | undefined {
  if (text.length !== 2 * FINGERPRINT_BYTES || !/^[0-9A-F]+$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, 'hex'));
}
