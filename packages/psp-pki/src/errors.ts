/**
 * Why bytes could not be read, or an argument not be used. Thrown as {@link PkiError}; also the code of a
 * {@link Verdict} where a verifier reads the bytes itself.
 */
export const PKI_ERROR_CODES = [
  /** More bytes than the limit of this kind allows; nothing was copied or allocated for them. */
  'PKI_TOO_LARGE',
  /** The bytes end before the structure does. */
  'PKI_TRUNCATED',
  /** Bytes follow where the structure must have ended. */
  'PKI_TRAILING_BYTES',
  /** The method byte is neither 0xE0 nor 0xED. */
  'PKI_UNKNOWN_METHOD',
  /** A signed message names another method than its certificate. */
  'PKI_METHOD_MISMATCH',
  /** A time that is not an integer from 0 to 2^53 - 1 seconds. */
  'PKI_TIME_OUT_OF_RANGE',
  /** Not base58, or longer than the limit. */
  'PKI_BASE58',
  /** Not of the form namespace.sub-namespace.type.key. */
  'PKI_IDENTITY_MALFORMED',
  /** The identity's checksum does not belong to its names and key. */
  'PKI_IDENTITY_CHECKSUM',
  /** A signer's certificate carries trust signatures of its own. */
  'PKI_SIGNER_HAS_TRUST_SIGNATURES',
  /** A signer's certificate is not a self-signed one. */
  'PKI_SIGNER_NOT_SELF_SIGNED',
  /** More trust signatures than the limit. */
  'PKI_TOO_MANY_TRUST_SIGNATURES',
  /** A key of the wrong length or kind. */
  'PKI_INVALID_KEY',
  /** A payload that should bind an RSA key and does not have that form. */
  'PKI_RSA_PAYLOAD_MALFORMED',
  /** A DER X.509 certificate that cannot be read, or has a key that is not RSA or of an unaccepted size. */
  'PKI_X509_MALFORMED',
  /** The caller's own argument contradicts itself; never the outcome of foreign bytes. */
  'PKI_INVALID_ARGUMENT',
] as const;

/** The closed list of error codes. */
export type PkiErrorCode = (typeof PKI_ERROR_CODES)[number];

/** Why something that can be read is not to be believed. */
export const PKI_REFUSAL_CODES = [
  /** The moment of judgement lies before notBefore. */
  'PKI_NOT_YET_VALID',
  /** The moment of judgement lies after notAfter. */
  'PKI_EXPIRED',
  /** notAfter lies before notBefore. */
  'PKI_VALIDITY_REVERSED',
  /** The identity belongs to another network than the trust root's profile. */
  'PKI_WRONG_NAMESPACE',
  /** Self-signed by an identity that the trust root does not name. */
  'PKI_NOT_TRUSTED',
  /** Fewer trusted authorities than the threshold, whose own certificates are valid at the moment of judgement. */
  'PKI_TOO_FEW_AUTHORITIES',
  /** One identity signed more than once. */
  'PKI_DUPLICATE_AUTHORITY',
  /** The master signature verifies under none of the keys that may have made it. */
  'PKI_BAD_MASTER_SIGNATURE',
  /** The master signature of a signer's certificate does not verify. */
  'PKI_BAD_SIGNER_CERTIFICATE',
  /** A trust signature does not verify. */
  'PKI_BAD_TRUST_SIGNATURE',
  /** The certificate leans on a certificate of its own identity that is not valid at the moment of judgement. */
  'PKI_DELEGATE_NOT_VALID',
  /** The signature over a message or content does not verify under the certificate's key. */
  'PKI_BAD_MESSAGE_SIGNATURE',
  /** The RSA signature of a payload does not verify. */
  'PKI_BAD_RSA_SIGNATURE',
  /** The payload binds another RSA key than the one expected. */
  'PKI_FINGERPRINT_MISMATCH',
] as const;

/** The closed list of codes of a failing verdict: what cannot be read, and what is not to be believed. */
export type VerdictCode = PkiErrorCode | (typeof PKI_REFUSAL_CODES)[number];

/** All codes of a failing verdict, for code that counts or maps them. */
export const VERDICT_CODES: readonly VerdictCode[] = [...PKI_ERROR_CODES, ...PKI_REFUSAL_CODES];

/** Refusals that another moment may change. */
const TIME_DEPENDENT: ReadonlySet<VerdictCode> = new Set([
  'PKI_EXPIRED',
  'PKI_NOT_YET_VALID',
  'PKI_DELEGATE_NOT_VALID',
] satisfies VerdictCode[]);

/** Whether the same bytes may be believed at another moment. */
export function isTimeDependent(code: VerdictCode): boolean {
  return TIME_DEPENDENT.has(code);
}

/** A verdict that refuses. `detail` is one line for a log; it quotes nothing longer than an identity. */
export interface Refusal {
  readonly ok: false;
  readonly code: VerdictCode;
  readonly detail: string;
}

/** The outcome of a verification: an expected value either way, never an exception. */
export type Verdict = { readonly ok: true } | Refusal;

/** Facts beside an error's message. */
export interface PkiErrorDetails {
  readonly [fact: string]: unknown;
}

/** The one error class of this package. Never `retryable`: the same bytes fail again. */
export class PkiError extends Error {
  override readonly name = 'PkiError';
  readonly code: PkiErrorCode;
  readonly retryable = false;
  readonly details: PkiErrorDetails;

  constructor(code: PkiErrorCode, message: string, details: PkiErrorDetails = {}, cause?: unknown) {
    super(`${message} [${code}]`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/** A refusing verdict. */
export function refuse(code: VerdictCode, detail: string): Refusal {
  return { ok: false, code, detail };
}

/** Turns the error of a parser into a verdict; anything that is not a {@link PkiError} is a defect and goes on. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof PkiError) return refuse(error.code, error.message);
  throw error;
}
