/**
 * Identities, flat certificates, signed messages and trust roots of the PSP protocol (WIRE section 5).
 *
 * Bytes go in, typed values and verdicts come out. A parser throws {@link PkiError} and nothing else; a verifier never
 * throws and returns a {@link Verdict}.
 */
export { decodeBase58, encodeBase58, MAX_BASE58_BYTES, MAX_BASE58_CHARS } from './base58.js';
export {
  buildCertificate,
  DEFAULT_MAX_CERTIFICATE_BYTES,
  DEFAULT_MAX_TRUST_SIGNATURES,
  encodeSignedPart,
  parseCertificate,
  peekCertificateIdentity,
  validityOf,
} from './certificate.js';
export type {
  CertificateFields,
  CertificateLimits,
  CertificateMethod,
  CertificateParts,
  FlatCertificate,
  TrustSignature,
  Validity,
} from './certificate.js';
export { CertificateVerifier } from './certificate-verifier.js';
export type { CertificateVerifierOptions, CertificateVerifierStats } from './certificate-verifier.js';
export { openDetachedSignatureAsync } from './detached-signature.js';
export type { DetachedSignature, OpenedSignature } from './detached-signature.js';
export { DiscoverySigners, trustRootOf } from './discovery-signers.js';
export type { TrustRootFacts } from './discovery-signers.js';
export {
  ED25519_KEY_BYTES,
  ED25519_SIGNATURE_BYTES,
  SigningKey,
  verifyEd25519,
  verifyEd25519Async,
  VerifyingKey,
} from './ed25519.js';
export { isTimeDependent, PKI_ERROR_CODES, PKI_REFUSAL_CODES, PkiError, VERDICT_CODES } from './errors.js';
export type { PkiErrorCode, PkiErrorDetails, Refusal, Verdict, VerdictCode } from './errors.js';
export {
  fingerprintOfRsaKey,
  fingerprintOfX509,
  FINGERPRINT_BYTES,
  formatFingerprint,
  MAX_X509_BYTES,
  parseFingerprint,
  rsaKeyOfX509,
} from './fingerprint.js';
export { createIdentity, formatIdentity, MAX_IDENTITY_CHARS, parseIdentity } from './identity.js';
export type { Identity, IdentityParts, IdentityType } from './identity.js';
export { addTrustSignature, issueRegularCertificate, issueSelfSignedCertificate } from './issue.js';
export type { Authority, CertificateRequest } from './issue.js';
export { createMember } from './member.js';
export type { Member, MemberOptions } from './member.js';
export { ed25519Library } from './libsodium.js';
export type { CertificateFinder } from './known-certificates.js';
export { networkProfile, PSP_PROFILE, XPX_PROFILE } from './profile.js';
export type { NetworkProfile } from './profile.js';
export { buildRsaPayload, isRsaPayload, parseRsaPayload, verifyRsaBinding } from './rsa-payload.js';
export type { RsaBinding, RsaPayload } from './rsa-payload.js';
export {
  buildSignedMessage,
  MAX_SIGNED_MESSAGE_BYTES,
  openSignedMessageAsync,
  openSignedMessageThen,
  parseSignedMessage,
  peekSignedMessage,
  verifySignedMessage,
  verifySignedMessageAsync,
} from './signed-message.js';
export type {
  OpenedMessage,
  SignedMessage,
  SignedMessageClaims,
  SignedMessageLimits,
  SignedMessageParts,
} from './signed-message.js';
export { createTrustRoot, DEFAULT_AUTHORITY_THRESHOLD } from './trust-root.js';
export type { TrustRoot, TrustRootOptions } from './trust-root.js';
export { sharedMemory } from './shared-memory.js';
export { VerifyPool } from './verify-pool.js';
export type { VerifyPoolOptions } from './verify-pool.js';
