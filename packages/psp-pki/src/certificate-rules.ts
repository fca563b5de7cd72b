/**
 * When a certificate is to be believed (WIRE section 5), as pure functions in three steps:
 *
 * 1. {@link refusalByClaims}: what needs no signature check: dates, names, who is said to have signed. Cheap, and depends
 *    on the moment, so it runs on every call and before any signature is looked at.
 * 2. {@link soundness}: which signatures must verify. It yields what to check and is sent the answer, so that the
 *    same rules serve a caller that verifies at once and one that waits for a thread pool. The outcome depends on
 *    nothing but the certificate's bytes, so it can be kept.
 * 3. {@link refusalByDelegate}: the one date that matters only for some outcomes of step 2.
 */
import type { FlatCertificate, TrustSignature } from './certificate.js';
import { refuse, type Refusal } from './errors.js';
import type { TrustRoot } from './trust-root.js';

/** One signature to verify. */
export interface SignatureCheck {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  /** Set for the master signature of a signer's certificate: that certificate, which many others repeat. */
  readonly signer?: FlatCertificate;
  /** What it means when it does not verify. */
  readonly fault: 'PKI_BAD_MASTER_SIGNATURE' | 'PKI_BAD_SIGNER_CERTIFICATE' | 'PKI_BAD_TRUST_SIGNATURE';
  /** Identity of the certificate that is at fault then. */
  readonly of: string;
}

/** That all signatures of a certificate verify, and by which key its master signature does. */
export interface Sound {
  readonly ok: true;
  /** True when the certificate's own key made the master signature, on the word of its identity's other certificate. */
  readonly delegated: boolean;
}

/** Both ends inclusive. Written so that a moment that is not a number is never within. */
function isValidAt(certificate: FlatCertificate, atSeconds: number): boolean {
  return certificate.notBefore <= atSeconds && atSeconds <= certificate.notAfter;
}

function refusalByDates(certificate: FlatCertificate, atSeconds: number): Refusal | undefined {
  const { notBefore, notAfter } = certificate;
  if (notAfter < notBefore) return refuse('PKI_VALIDITY_REVERSED', 'notAfter lies before notBefore');
  if (isValidAt(certificate, atSeconds)) return undefined;
  if (atSeconds > notAfter) return refuse('PKI_EXPIRED', `valid until ${String(notAfter)}, it is ${String(atSeconds)}`);
  return refuse('PKI_NOT_YET_VALID', `valid from ${String(notBefore)}, it is ${String(atSeconds)}`);
}

function refusalByAuthorities(certificate: FlatCertificate, root: TrustRoot, atSeconds: number): Refusal | undefined {
  const { trustSignatures } = certificate;
  let trusted = 0;
  let outOfDate = 0;
  for (let at = 0; at < trustSignatures.length; at++) {
    const signer = trustSignatures[at]!.certificate;
    const name = signer.identity.text;
    // There are few: comparing them is less than a set of them.
    for (let before = 0; before < at; before++) {
      if (trustSignatures[before]!.certificate.identity.text !== name) continue;
      return refuse('PKI_DUPLICATE_AUTHORITY', `${name} signed twice`);
    }
    if (!root.authorities.has(name)) continue;
    if (isValidAt(signer, atSeconds)) trusted++;
    else outOfDate++;
  }
  if (trusted >= root.threshold) return undefined;
  const late = outOfDate === 0 ? '' : `, ${String(outOfDate)} more are out of date`;
  return refuse('PKI_TOO_FEW_AUTHORITIES', `${String(trusted)} of ${String(root.threshold)} authorities${late}`);
}

/** Step 1: dates, namespace, and who is said to vouch. Undefined when nothing speaks against the certificate yet. */
export function refusalByClaims(certificate: FlatCertificate, root: TrustRoot, atSeconds: number): Refusal | undefined {
  const name = certificate.identity.text;
  if (certificate.identity.namespace !== root.profile.systemNamespace) {
    return refuse('PKI_WRONG_NAMESPACE', `${name} is not of the network ${root.profile.name}`);
  }
  const byDates = refusalByDates(certificate, atSeconds);
  if (byDates !== undefined) return byDates;
  if (certificate.method === 'regular') return refusalByAuthorities(certificate, root, atSeconds);
  if (root.authorities.has(name) || root.discoveryNodes.has(name)) return undefined;
  return refuse('PKI_NOT_TRUSTED', `${name} is self-signed and not in the trusted set`);
}

function masterCheck(certificate: FlatCertificate, publicKey: Uint8Array): SignatureCheck {
  const { signedPart: message, masterSignature: signature, identity } = certificate;
  return { publicKey, message, signature, fault: 'PKI_BAD_MASTER_SIGNATURE', of: identity.text };
}

/** The signer's own certificate, and its signature over the body of the certificate that it vouches for. */
function trustChecks({ signature, certificate: signer }: TrustSignature, wholeBody: Uint8Array): SignatureCheck[] {
  const of = signer.identity.text;
  return [
    { ...masterCheck(signer, signer.identity.publicKey), signer, fault: 'PKI_BAD_SIGNER_CERTIFICATE' },
    { publicKey: signer.publicKey, message: wholeBody, signature, fault: 'PKI_BAD_TRUST_SIGNATURE', of },
  ];
}

function delegateOf(certificate: FlatCertificate): TrustSignature | undefined {
  return certificate.trustSignatures.find((trust) => trust.certificate.identity.text === certificate.identity.text);
}

/**
 * Step 2: every signature in the certificate must verify, also those of signers that this node does not know: a
 * certificate is sound as a whole or not at all.
 *
 * It yields checks that may be made at the same time and is sent the first of them that failed, or undefined. The first
 * signatures come alone, so forged bytes cost two checks, or three with a forged signer.
 */
export function* soundness(
  certificate: FlatCertificate,
): Generator<readonly SignatureCheck[], Sound | Refusal, SignatureCheck | undefined> {
  const { trustSignatures, wholeBody, identity, publicKey } = certificate;
  const [first = [], ...others] = trustSignatures.map((trust) => trustChecks(trust, wholeBody));
  const master = masterCheck(certificate, identity.publicKey);
  let opening = [master, ...first];
  let delegated = false;
  if (delegateOf(certificate) !== undefined) {
    delegated = (yield [master]) !== undefined;
    opening = delegated ? [masterCheck(certificate, publicKey), ...first] : first;
  }
  const failed = (yield opening) ?? (yield others.flat());
  return failed === undefined ? { ok: true, delegated } : refuse(failed.fault, failed.of);
}

/** Step 3: a master signature by the certificate's own key is worth what the delegating certificate is worth now. */
export function refusalByDelegate(certificate: FlatCertificate, sound: Sound, atSeconds: number): Refusal | undefined {
  if (!sound.delegated) return undefined;
  const delegate = delegateOf(certificate);
  if (delegate !== undefined && isValidAt(delegate.certificate, atSeconds)) return undefined;
  return refuse('PKI_DELEGATE_NOT_VALID', certificate.identity.text);
}

/** Whether a certificate is worth remembering as a signer: everybody can make one, only the root's repeat. */
export function isTrustedSigner(signer: FlatCertificate, root: TrustRoot): boolean {
  return root.authorities.has(signer.identity.text);
}
