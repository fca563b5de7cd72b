import { hash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { DiscoverySignatureSchema, type DiscoverySignature } from '@discovery-raft/protocol';

/** When a certificate holds: Unix seconds, both ends included. */
export interface Period {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A certificate of nobody but its owner and two dates. */
export interface Certificate extends Period {
  readonly identity: string;
}

export const ALWAYS: Period = { notBefore: 0, notAfter: 2 ** 40 };

const AUTHORITY = 'the authority';
const SIGNATURE_BYTES = 64;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What was signed, as soon as it was: whatever is done with the signature, it exists. */
export type Signed = (identity: string, content: Uint8Array) => void;

/**
 * Stands in for all keys of a network: a signature is a hash that needs the owner's secret. Secrets never leave this
 * object; who holds a {@link Key} can sign for one identity, and nobody can make one for another.
 */
export class Keyring {
  readonly #secret: string;
  readonly #signed: Signed;
  readonly #certificates = new Map<string, Certificate | null>();

  /** @param seed makes the secrets */
  constructor(seed: number, signed: Signed) {
    this.#secret = `ring ${seed}`;
    this.#signed = signed;
  }

  /** The key of an identity, with a certificate of the authority. */
  key(identity: string, period: Period = ALWAYS): Key {
    const text = `${identity}|${period.notBefore}|${period.notAfter}`;
    const certificate = encoder.encode(`${text}|${hex(this.#tag(AUTHORITY, encoder.encode(text)).subarray(0, 16))}`);
    return {
      identity,
      certificate,
      sign: (content) => {
        this.#signed(identity, content);
        return create(DiscoverySignatureSchema, { certificate, signature: this.#tag(identity, content) });
      },
    };
  }

  /** Reads a certificate; null when the authority did not make it. */
  certificate(bytes: Uint8Array): Certificate | null {
    const text = decoder.decode(bytes);
    let known = this.#certificates.get(text);
    if (known === undefined) {
      known = this.#read(text);
      this.#certificates.set(text, known);
    }
    return known;
  }

  /** The dates that a certificate claims, whoever made it; null when it has none. */
  claimedPeriod(bytes: Uint8Array): Period | null {
    const [, notBefore, notAfter] = decoder.decode(bytes).split('|');
    return notAfter === undefined ? null : { notBefore: Number(notBefore), notAfter: Number(notAfter) };
  }

  /** Whose signature over `content` this is; null when it is nobody's. */
  signer(signature: DiscoverySignature, content: Uint8Array): Certificate | null {
    const certificate = this.certificate(signature.certificate);
    if (certificate === null || signature.signature.length !== SIGNATURE_BYTES) return null;
    return Buffer.compare(this.#tag(certificate.identity, content), signature.signature) === 0 ? certificate : null;
  }

  #read(text: string): Certificate | null {
    const [identity, notBefore, notAfter, tag] = text.split('|');
    if (tag === undefined) return null;
    const signed = `${identity}|${notBefore}|${notAfter}`;
    if (tag !== hex(this.#tag(AUTHORITY, encoder.encode(signed)).subarray(0, 16))) return null;
    return { identity: identity!, notBefore: Number(notBefore), notAfter: Number(notAfter) };
  }

  #tag(identity: string, content: Uint8Array): Uint8Array {
    const owner = Buffer.from(`${this.#secret}|${identity}|`);
    return new Uint8Array(hash('sha512', Buffer.concat([owner, content]), 'buffer'));
  }
}

/** What lets its holder sign as one identity. */
export interface Key {
  readonly identity: string;
  readonly certificate: Uint8Array;
  sign(content: Uint8Array): DiscoverySignature;
}

/** SHA-256, as the consensus asks for it. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

/** The same, as the shared list takes it. */
export function packedSha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'binary');
}

/** Bytes in hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}
