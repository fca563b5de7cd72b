/**
 * The flat certificate (WIRE section 5): reading and writing its bytes. Whether it is to be believed is the business of
 * `certificate-verifier.ts`; what is read here has the right form, and that is all.
 *
 *     method 1 | notBefore 8 | notAfter 8 | key 32 | identity 2+n | payload 2+n | master signature 64 | trust signatures
 *                '------------------------ signed part ---------------------'
 *                '------------------------------- whole body ---------------------------------'
 */
import { ByteReader, asciiText, concatBytes, uint8At } from './byte-reader.js';
import { ED25519_KEY_BYTES, ED25519_SIGNATURE_BYTES } from './ed25519.js';
import { PkiError } from './errors.js';
import { parseIdentity, type Identity } from './identity.js';
import type { CertificateFinder } from './known-certificates.js';

/** How a certificate is vouched for: by its own identity alone, or by authorities too. */
export type CertificateMethod = 'selfSigned' | 'regular';

const METHOD_BYTES = { selfSigned: 0xe0, regular: 0xed } as const;

/** The fields that the master signature covers. */
export interface CertificateFields {
  /** First second of validity, Unix seconds, 0 to 2^53 - 1. */
  readonly notBefore: number;
  /** Last second of validity, inclusive. */
  readonly notAfter: number;
  /** The Ed25519 key that signs messages for the identity, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly identity: Identity;
  /** Free bytes, at most 65,535; see `rsa-payload.ts` for the one documented use. */
  readonly payload: Uint8Array;
}

/** One authority's signature over the whole body of a certificate, with the certificate of the key that made it. */
export interface TrustSignature {
  readonly signature: Uint8Array;
  /** Self-signed, without trust signatures. */
  readonly certificate: FlatCertificate;
}

/**
 * A certificate as it was read. All byte fields are views of `bytes`: who parsed must not change those afterwards.
 * Make one only through {@link parseCertificate} or {@link buildCertificate}, so that fields and bytes agree.
 */
export interface FlatCertificate extends CertificateFields {
  readonly method: CertificateMethod;
  /** Over `signedPart`: by the identity's key, or by `publicKey` where a trust signature is of the same identity. */
  readonly masterSignature: Uint8Array;
  readonly signedPart: Uint8Array;
  /** `signedPart` and `masterSignature`: what a trust signature covers. */
  readonly wholeBody: Uint8Array;
  readonly trustSignatures: readonly TrustSignature[];
  /** The whole certificate as it stood on the wire. */
  readonly bytes: Uint8Array;
}

/** Bounds of what is read, checked before anything is taken for it. */
export interface CertificateLimits {
  /** Longest certificate with its trust signatures, in bytes; default 262,144. */
  readonly maxCertificateBytes?: number;
  /** Most trust signatures of one certificate; default 16. */
  readonly maxTrustSignatures?: number;
}

/** Default of {@link CertificateLimits.maxCertificateBytes}. */
export const DEFAULT_MAX_CERTIFICATE_BYTES = 262_144;
/** Default of {@link CertificateLimits.maxTrustSignatures}. */
export const DEFAULT_MAX_TRUST_SIGNATURES = 16;

const MAX_FIELD_BYTES = 65_535;
/** Where the identity begins: behind method, dates and key. */
const IDENTITY_OFFSET = 1 + 8 + 8 + ED25519_KEY_BYTES;

/** The method that a byte on the wire stands for; `PKI_UNKNOWN_METHOD` for any other byte. */
export function readMethod(byte: number): CertificateMethod {
  if (byte === METHOD_BYTES.selfSigned) return 'selfSigned';
  if (byte === METHOD_BYTES.regular) return 'regular';
  throw new PkiError('PKI_UNKNOWN_METHOD', 'the method is neither self-signed nor regular', { byte });
}

/** The byte on the wire of a method: 0xE0 self-signed, 0xED regular. */
export function methodByte(method: CertificateMethod): number {
  return METHOD_BYTES[method];
}

function readTrustSignatures(
  reader: ByteReader,
  limit: number,
  known: CertificateFinder | undefined,
): TrustSignature[] {
  const signatures: TrustSignature[] = [];
  while (reader.remaining > 0) {
    if (signatures.length >= limit) {
      throw new PkiError('PKI_TOO_MANY_TRUST_SIGNATURES', `more than ${String(limit)} trust signatures`);
    }
    const signature = reader.take(ED25519_SIGNATURE_BYTES);
    const bytes = reader.take(reader.uint16());
    const certificate = known?.find(bytes) ?? readCertificate(bytes, 'signer', 0, undefined);
    signatures.push({ signature, certificate });
  }
  return signatures;
}

function assertSigner(method: CertificateMethod, reader: ByteReader): void {
  if (method !== 'selfSigned') {
    throw new PkiError('PKI_SIGNER_NOT_SELF_SIGNED', "a signer's certificate is self-signed");
  }
  if (reader.remaining > 0) {
    throw new PkiError('PKI_SIGNER_HAS_TRUST_SIGNATURES', "a signer's certificate has no trust signatures");
  }
}

function readCertificate(
  input: Uint8Array,
  role: 'holder' | 'signer',
  maxTrustSignatures: number,
  known: CertificateFinder | undefined,
): FlatCertificate {
  const reader = new ByteReader(input);
  const method = readMethod(reader.uint8());
  const start = reader.offset;
  const notBefore = reader.seconds();
  const notAfter = reader.seconds();
  const publicKey = reader.take(ED25519_KEY_BYTES);
  const identityBytes = reader.take(reader.uint16());
  const payload = reader.take(reader.uint16());
  const signedPart = reader.since(start);
  const masterSignature = reader.take(ED25519_SIGNATURE_BYTES);
  const wholeBody = reader.since(start);
  if (role === 'signer') assertSigner(method, reader);
  if (method === 'selfSigned' && reader.remaining > 0) {
    throw new PkiError('PKI_TRAILING_BYTES', 'a self-signed certificate ends with its master signature');
  }
  const identity = readIdentity(identityBytes);
  const trustSignatures = readTrustSignatures(reader, maxTrustSignatures, known);
  const fields = { notBefore, notAfter, publicKey, identity, payload };
  return { method, ...fields, masterSignature, signedPart, wholeBody, trustSignatures, bytes: reader.since(0) };
}

function readIdentity(bytes: Uint8Array): Identity {
  // The length first: an identity is at most 255 characters, the field could claim 65,535.
  if (bytes.length > 255) throw new PkiError('PKI_IDENTITY_MALFORMED', 'the identity is too long');
  return parseIdentity(asciiText(bytes));
}

/**
 * Reads a certificate with its trust signatures up to the last byte. Says nothing about trust.
 *
 * @param bytes - not copied: the result holds views of them
 * @param known - signers' certificates that were read before, self-signed ones all; the result refers to those
 * @throws PkiError `PKI_TOO_LARGE`, `PKI_TRUNCATED`, `PKI_TRAILING_BYTES`, `PKI_UNKNOWN_METHOD`,
 *   `PKI_TIME_OUT_OF_RANGE`, `PKI_TOO_MANY_TRUST_SIGNATURES`, `PKI_SIGNER_NOT_SELF_SIGNED`,
 *   `PKI_SIGNER_HAS_TRUST_SIGNATURES`, and those of `parseIdentity`
 */
export function parseCertificate(
  bytes: Uint8Array,
  limits: CertificateLimits = {},
  known?: CertificateFinder,
): FlatCertificate {
  assertCertificateSize(bytes, limits);
  return readCertificate(bytes, 'holder', limits.maxTrustSignatures ?? DEFAULT_MAX_TRUST_SIGNATURES, known);
}

/** Throws `PKI_TOO_LARGE` for more bytes than the limits allow. */
export function assertCertificateSize({ length }: Uint8Array, limits: CertificateLimits): void {
  assertLength(length, limits);
}

function assertLength(length: number, limits: CertificateLimits): void {
  const max = limits.maxCertificateBytes ?? DEFAULT_MAX_CERTIFICATE_BYTES;
  if (length > max) throw new PkiError('PKI_TOO_LARGE', `the certificate is over ${String(max)} bytes`);
}

/**
 * The identity's text in a certificate, without looking at anything else: no checksum, no signature. For indexing bytes
 * that were verified before, at a fraction of the cost of {@link parseCertificate}.
 *
 * @throws PkiError `PKI_TOO_LARGE`, `PKI_TRUNCATED`, `PKI_UNKNOWN_METHOD` or `PKI_IDENTITY_MALFORMED`
 */
export function peekCertificateIdentity(bytes: Uint8Array, limits: CertificateLimits = {}): string {
  return peekIdentityAt(bytes, 0, limits);
}

/** {@link peekCertificateIdentity} of a certificate that goes from `begin` to the end, without a view of it. */
export function peekIdentityAt(bytes: Uint8Array, begin: number, limits: CertificateLimits): string {
  assertLength(bytes.length - begin, limits);
  readMethod(uint8At(bytes, begin));
  const lengthAt = begin + IDENTITY_OFFSET;
  const length = uint8At(bytes, lengthAt) * 256 + uint8At(bytes, lengthAt + 1);
  if (length > 255) throw new PkiError('PKI_IDENTITY_MALFORMED', 'the identity is too long');
  return asciiText(bytes, lengthAt + 2, lengthAt + 2 + length);
}

/** The master signature in a certificate, without looking at anything else; undefined when the bytes end before it does. */
export function peekMasterSignature(bytes: Uint8Array): Uint8Array | undefined {
  const lengthAt = (at: number): number => (at + 2 <= bytes.length ? bytes[at]! * 0x100 + bytes[at + 1]! : Infinity);
  const payload = IDENTITY_OFFSET + 2 + lengthAt(IDENTITY_OFFSET);
  const at = payload + 2 + lengthAt(payload);
  return at + ED25519_SIGNATURE_BYTES <= bytes.length ? bytes.subarray(at, at + ED25519_SIGNATURE_BYTES) : undefined;
}

function secondsBytes(seconds: number): Uint8Array {
  if (!Number.isSafeInteger(seconds) || seconds < 0) {
    throw new PkiError('PKI_TIME_OUT_OF_RANGE', 'a time is an integer from 0 to 2^53 - 1');
  }
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(seconds));
  return bytes;
}

function prefixed(field: Uint8Array): Uint8Array {
  if (field.length > MAX_FIELD_BYTES) throw new PkiError('PKI_TOO_LARGE', 'a field has at most 65,535 bytes');
  return concatBytes(Uint8Array.of(field.length >> 8, field.length & 0xff), field);
}

/**
 * The bytes that a master signature covers: notBefore to payload.
 *
 * @throws PkiError `PKI_TIME_OUT_OF_RANGE`, `PKI_INVALID_KEY` or `PKI_TOO_LARGE`
 */
export function encodeSignedPart(fields: CertificateFields): Uint8Array {
  const { notBefore, notAfter, publicKey, identity, payload } = fields;
  if (publicKey.length !== ED25519_KEY_BYTES) throw new PkiError('PKI_INVALID_KEY', 'a public key has 32 bytes');
  const name = prefixed(Buffer.from(identity.text, 'latin1'));
  return concatBytes(secondsBytes(notBefore), secondsBytes(notAfter), publicKey, name, prefixed(payload));
}

/** What {@link buildCertificate} puts together. */
export interface CertificateParts extends CertificateFields {
  readonly method: CertificateMethod;
  readonly masterSignature: Uint8Array;
  /** Default none. */
  readonly trustSignatures?: readonly TrustSignature[];
}

/**
 * Writes a certificate from its parts, signatures included, and reads it back: the result is what every reader will
 * see, in bytes of its own. To make the signatures too, use the functions of `issue.ts`.
 *
 * @throws PkiError as {@link encodeSignedPart} and {@link parseCertificate}
 */
export function buildCertificate(parts: CertificateParts, limits: CertificateLimits = {}): FlatCertificate {
  const chain = (parts.trustSignatures ?? []).flatMap((trust) => [trust.signature, prefixed(trust.certificate.bytes)]);
  const method = Uint8Array.of(methodByte(parts.method));
  return parseCertificate(concatBytes(method, encodeSignedPart(parts), parts.masterSignature, ...chain), limits);
}

/** When something holds. Unix seconds, both inclusive. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** When a certificate and all that vouch for it hold. */
export function validityOf(certificate: FlatCertificate): Validity {
  let { notBefore, notAfter } = certificate;
  for (const { certificate: signer } of certificate.trustSignatures) {
    notBefore = Math.max(notBefore, signer.notBefore);
    notAfter = Math.min(notAfter, signer.notAfter);
  }
  return { notBefore, notAfter };
}
