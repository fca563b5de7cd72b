/**
 * Signed messages (WIRE section 5): what publishers send and nodes forward.
 *
 *     method 1 | message 4+n | signature 64 | flat certificate to the end
 */
import { ByteReader, concatBytes, sameBytes, uint32At, uint8At } from './byte-reader.js';
import type { CertificateVerifier } from './certificate-verifier.js';
import {
  methodByte,
  parseCertificate,
  peekIdentityAt,
  readMethod,
  type CertificateLimits,
  type CertificateMethod,
  type FlatCertificate,
} from './certificate.js';
import { ED25519_SIGNATURE_BYTES, type SigningKey } from './ed25519.js';
import { PkiError, refusalOf, type Refusal, type Verdict } from './errors.js';

/** Most bytes of a signed message that a deployed client accepts, and the default here. */
export const MAX_SIGNED_MESSAGE_BYTES = 10_485_760;

/** Method and length, before the message. */
const HEAD_BYTES = 5;

/**
 * A signed message as it was read. All byte fields are views of `bytes`, but for those of a certificate that was known
 * before; nobody may change them afterwards.
 */
export interface SignedMessage {
  readonly method: CertificateMethod;
  /** The content that the signature covers. */
  readonly message: Uint8Array;
  /** By the certificate's key over `message`. */
  readonly signature: Uint8Array;
  readonly certificate: FlatCertificate;
  readonly bytes: Uint8Array;
}

/** Bounds of what is read, checked before anything is taken for it. */
export interface SignedMessageLimits extends CertificateLimits {
  /** Longest signed message with its certificate, in bytes; default and most {@link MAX_SIGNED_MESSAGE_BYTES}. */
  readonly maxSignedMessageBytes?: number;
}

/** What a signed message claims, unverified. */
export interface SignedMessageClaims {
  /** A view of the bytes that were looked at. */
  readonly message: Uint8Array;
  /** The identity's text in the certificate; not even its checksum was looked at. */
  readonly identity: string;
}

/** What {@link buildSignedMessage} signs. */
export interface SignedMessageParts {
  readonly certificate: FlatCertificate;
  /** The private half of the certificate's key. */
  readonly key: SigningKey;
  readonly message: Uint8Array;
}

function assertSize(length: number, limits: SignedMessageLimits): void {
  const max = Math.min(limits.maxSignedMessageBytes ?? MAX_SIGNED_MESSAGE_BYTES, MAX_SIGNED_MESSAGE_BYTES);
  if (length > max) throw new PkiError('PKI_TOO_LARGE', `the signed message is over ${String(max)} bytes`);
}

/**
 * Signs a message; new bytes.
 *
 * @throws PkiError `PKI_INVALID_ARGUMENT` when the key is not the certificate's; `PKI_TOO_LARGE` over
 *   {@link MAX_SIGNED_MESSAGE_BYTES}
 */
export function buildSignedMessage(parts: SignedMessageParts): Uint8Array {
  const { certificate, key, message } = parts;
  if (!sameBytes(key.publicKey, certificate.publicKey)) {
    throw new PkiError('PKI_INVALID_ARGUMENT', 'the key is not the key of the certificate');
  }
  assertSize(1 + 4 + message.length + ED25519_SIGNATURE_BYTES + certificate.bytes.length, {});
  const head = new Uint8Array(5);
  head[0] = methodByte(certificate.method);
  new DataView(head.buffer).setUint32(1, message.length);
  return concatBytes(head, message, key.sign(message), certificate.bytes);
}

/**
 * Reads a signed message and its certificate up to the last byte. Says nothing about trust: see
 * {@link verifySignedMessage}.
 *
 * @param bytes - not copied: the result holds views of them
 * @param reader - a verifier, which need not read a certificate again that it knows
 * @throws PkiError `PKI_TOO_LARGE`, `PKI_TRUNCATED`, `PKI_UNKNOWN_METHOD`, `PKI_METHOD_MISMATCH`, and those of
 *   `parseCertificate`
 */
export function parseSignedMessage(
  bytes: Uint8Array,
  limits: SignedMessageLimits = {},
  reader?: Pick<CertificateVerifier, 'readCertificate'>,
): SignedMessage {
  const { method, message, signature, certificate: certificateBytes, whole } = frame(bytes, limits);
  const certificate = reader?.readCertificate(certificateBytes, limits) ?? parseCertificate(certificateBytes, limits);
  if (certificate.method !== method) {
    throw new PkiError('PKI_METHOD_MISMATCH', 'message and certificate name different methods');
  }
  return { method, message, signature, certificate, bytes: whole };
}

function frame(bytes: Uint8Array, limits: SignedMessageLimits) {
  assertSize(bytes.length, limits);
  const reader = new ByteReader(bytes);
  const method = readMethod(reader.uint8());
  const message = reader.take(reader.uint32());
  const signature = reader.take(ED25519_SIGNATURE_BYTES);
  return { method, message, signature, certificate: reader.rest(), whole: reader.since(0) };
}

/**
 * The message and the signer's identity without checking anything, at a fraction of the cost of
 * {@link parseSignedMessage}: for indexing bytes that were verified before, or for a first look at a publisher's limits.
 *
 * @throws PkiError `PKI_TOO_LARGE`, `PKI_TRUNCATED`, `PKI_UNKNOWN_METHOD` or `PKI_IDENTITY_MALFORMED`
 */
export function peekSignedMessage(bytes: Uint8Array, limits: SignedMessageLimits = {}): SignedMessageClaims {
  assertSize(bytes.length, limits);
  readMethod(uint8At(bytes, 0));
  const end = HEAD_BYTES + uint32At(bytes, 1);
  const identity = peekIdentityAt(bytes, end + ED25519_SIGNATURE_BYTES, limits);
  // A plain Uint8Array even of a Buffer.
  return { message: new Uint8Array(bytes.buffer, bytes.byteOffset + HEAD_BYTES, end - HEAD_BYTES), identity };
}

/** Whether the certificate is to be believed at the moment (Unix seconds) and its key signed the message. */
export function verifySignedMessage(signed: SignedMessage, verifier: CertificateVerifier, atSeconds: number): Verdict {
  return verifier.verifySignature(signed.certificate, signed.message, signed.signature, atSeconds);
}

/** {@link verifySignedMessage} in libuv's thread pool. Never rejects. */
export function verifySignedMessageAsync(
  signed: SignedMessage,
  verifier: CertificateVerifier,
  atSeconds: number,
): Promise<Verdict> {
  return verifier.verifySignatureAsync(signed.certificate, signed.message, signed.signature, atSeconds);
}

/** A message that was read and is to be believed. */
export interface OpenedMessage {
  readonly ok: true;
  readonly signed: SignedMessage;
}

/** Reads and verifies in one step: what cannot be read is a refusal like any other. Never rejects. */
export function openSignedMessageAsync(
  bytes: Uint8Array,
  verifier: CertificateVerifier,
  atSeconds: number,
  limits: SignedMessageLimits = {},
): Promise<OpenedMessage | Refusal> {
  return new Promise((tell) => openSignedMessageThen(bytes, verifier, atSeconds, limits, tell));
}

/**
 * {@link openSignedMessageAsync} for who opens thousands a second; see {@link CertificateVerifier.verifySignatureThen}.
 *
 * @param tell - called once, perhaps at once; must not throw
 */
export function openSignedMessageThen(
  bytes: Uint8Array,
  verifier: CertificateVerifier,
  atSeconds: number,
  limits: SignedMessageLimits,
  tell: (opened: OpenedMessage | Refusal) => void,
): void {
  let signed: SignedMessage;
  try {
    signed = parseSignedMessage(bytes, limits, verifier);
  } catch (error) {
    return tell(refusalOf(error));
  }
  const { certificate, message, signature } = signed;
  verifier.verifySignatureThen(certificate, message, signature, atSeconds, (verdict) =>
    tell(verdict.ok ? { ok: true, signed } : verdict),
  );
}
