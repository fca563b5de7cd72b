import { sameBytes } from '../policy/bytes.js';
import type { SignatureVerdict, VerifiedSignature } from '../ports.js';

/** A certificate that carries many signatures, with what they have in common: whom they name, and the good verdict. */
export class KnownCertificate {
  readonly attester: string;
  readonly bytes: Uint8Array;
  #verdict: VerifiedSignature | undefined;

  constructor(attester: string, bytes: Uint8Array) {
    this.attester = attester;
    this.bytes = bytes;
  }

  /** Whether it is this one. */
  is(certificate: Uint8Array): boolean {
    return sameBytes(this.bytes, certificate);
  }

  /** The verdict, as an object that is shared by all equal ones. */
  shared(verdict: SignatureVerdict): SignatureVerdict {
    if (!verdict.ok) return verdict;
    const last = this.#verdict;
    if (last !== undefined && isSame(last, verdict)) return last;
    this.#verdict = verdict;
    return verdict;
  }
}

function isSame(a: VerifiedSignature, b: VerifiedSignature): boolean {
  return a.identity === b.identity && a.notBefore === b.notBefore && a.notAfter === b.notAfter;
}

/** Certificates of one attester that are shared; a liar who makes up more of them has one for each of his signatures. */
const MAX_PER_ATTESTER = 8;

/** The certificates of members: few, with many signatures each. A set is small, so it is looked through. */
export class KnownCertificates {
  readonly #byAttester = new Map<string, KnownCertificate[]>();

  /** The certificate as it is kept; the bytes are copied when they are new. */
  of(attester: string, certificate: Uint8Array): KnownCertificate {
    let known = this.#byAttester.get(attester);
    if (known === undefined) this.#byAttester.set(attester, (known = []));
    const held = known.find((one) => one.is(certificate));
    if (held !== undefined) return held;
    const made = new KnownCertificate(known[0]?.attester ?? attester, certificate.slice());
    known.push(made);
    if (known.length > MAX_PER_ATTESTER) known.shift();
    return made;
  }
}
