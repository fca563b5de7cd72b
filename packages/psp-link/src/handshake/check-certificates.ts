import { X509Certificate, type KeyObject } from 'node:crypto';
import { fingerprintOfRsaKey, rsaKeyOfX509 } from '@discovery-raft/psp-pki';
import { readDer } from '../credentials/der.js';
import { LinkError } from '../errors.js';

/** What certificates are judged by. */
export interface CertificateRules {
  /** Unix seconds at which they must be valid. */
  readonly atSeconds: number;
  /** Least length of an RSA modulus, in bits. */
  readonly minRsaBits: number;
}

/** A peer's certificates that hold together. */
export interface CheckedCertificates {
  /** SHA-256 of the identity's public key: 32 bytes. */
  readonly fingerprint: Uint8Array;
  /** RSA, public: the key of the certificate that the identity signed. */
  readonly key: KeyObject;
}

/** sha256, sha384 and sha512WithRSAEncryption: 1.2.840.113549.1.1.11 to 13. */
const RSA_OIDS: ReadonlySet<string> = new Set(['0b', '0c', '0d'].map((last) => `2a864886f70d0101${last}`));
/** With a longer exponent a verification costs as much as a signature, and no honest key has one. */
const MAX_EXPONENT = 0xffff_ffffn;

/**
 * Checks an identity certificate and one that it signed (WIRE.md, section 4, step 3): both are one DER certificate with
 * an RSA key of accepted length, valid at this time, signed with RSA and SHA-2 by the identity, which signed itself.
 *
 * @param identity DER
 * @param signed DER of the link or authenticate certificate
 * @throws LinkError LINK_BAD_CERTIFICATE, LINK_CERTIFICATE_EXPIRED; `details.certificate` names which
 */
export function checkCertificates(
  identity: Uint8Array,
  signed: Uint8Array,
  name: 'link' | 'authenticate',
  rules: CertificateRules,
): CheckedCertificates {
  const identityKey = keyOf(identity, 'identity', rules.minRsaBits);
  const key = keyOf(signed, name, rules.minRsaBits);
  checkOne(identity, identityKey, 'identity', rules.atSeconds);
  checkOne(signed, identityKey, name, rules.atSeconds);
  return { fingerprint: fingerprintOfRsaKey(identityKey), key };
}

/** The fingerprint alone, before anything is verified. @throws LinkError LINK_BAD_CERTIFICATE */
export function claimedFingerprint(identity: Uint8Array, minRsaBits: number): Uint8Array {
  return fingerprintOfRsaKey(keyOf(identity, 'identity', minRsaBits));
}

/** The public key of a DER certificate. @throws LinkError LINK_BAD_CERTIFICATE */
export function keyOf(der: Uint8Array, certificate: string, minRsaBits: number): KeyObject {
  let key: KeyObject;
  try {
    key = rsaKeyOfX509(der, minRsaBits);
  } catch (cause) {
    throw bad('the certificate or its key is not accepted', certificate, {}, cause);
  }
  const exponent = key.asymmetricKeyDetails?.publicExponent ?? 0n;
  if (exponent < 3n || exponent > MAX_EXPONENT) throw bad('the exponent of the key is not accepted', certificate);
  return key;
}

function checkOne(der: Uint8Array, issuerKey: KeyObject, certificate: string, atSeconds: number): void {
  const x509 = new X509Certificate(der);
  const notBefore = Date.parse(x509.validFrom) / 1000;
  const notAfter = Date.parse(x509.validTo) / 1000;
  // Written so that a date which cannot be read refuses as well.
  if (!(notBefore <= atSeconds && atSeconds <= notAfter)) {
    throw new LinkError('LINK_CERTIFICATE_EXPIRED', 'a certificate of the peer is not valid now', {
      certificate,
      notBefore,
      notAfter,
      atSeconds,
    });
  }
  if (!RSA_OIDS.has(signatureOid(der))) throw bad('the signature is not RSA with SHA-2', certificate);
  if (!isSignedBy(x509, issuerKey)) throw bad('the identity did not sign the certificate', certificate);
}

function isSignedBy(x509: X509Certificate, key: KeyObject): boolean {
  try {
    return x509.verify(key);
  } catch {
    return false;
  }
}

/** Hex of the object identifier of the signature's algorithm: the element after the signed content. */
function signatureOid(der: Uint8Array): string {
  const whole = readDer(der, 0);
  const content = whole && readDer(whole.content, 0);
  const algorithm = whole && content && readDer(whole.content, content.end);
  const oid = algorithm && readDer(algorithm.content, 0);
  return oid === undefined ? '' : Buffer.from(oid.content).toString('hex');
}

function bad(message: string, certificate: string, details = {}, cause?: unknown): LinkError {
  return new LinkError('LINK_BAD_CERTIFICATE', message, { certificate, ...details }, cause);
}
