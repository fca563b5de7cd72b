import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { PacketVerdict, SignatureVerdict } from '../ports.js';
import type { KnownPacket, PacketSource } from './known-packet.js';
import type { KnownCertificate } from './known-certificates.js';
import type { Judged } from './verification-queue.js';

/*
 * There are as many of these as records and attestations in the list, so they are objects of one shape with few and small
 * fields: what a walk over all of them costs, and what a garbage collection does, hangs on nothing else.
 */

/** A signature of a member over a packet, and what is known of it. */
export class JudgedAttestation implements Judged<SignatureVerdict> {
  verdict: SignatureVerdict | undefined = undefined;
  job: Judged<SignatureVerdict>['job'] = undefined;
  waiting: Judged<SignatureVerdict>['waiting'] = undefined;
  readonly attester: string;
  readonly #certificate: KnownCertificate;
  readonly #text: string;

  /** @param text the signature's bytes, one a code unit */
  constructor(certificate: KnownCertificate, text: string) {
    this.attester = certificate.attester;
    this.#certificate = certificate;
    this.#text = text;
  }

  /** Made anew each time. */
  get signature(): DiscoverySignature {
    const signature = bytesOf(this.#text);
    return { $typeName: 'protocol.DiscoverySignature', certificate: this.#certificate.bytes, signature };
  }

  get certificate(): KnownCertificate {
    return this.#certificate;
  }

  /** Whether it is this one. */
  is(attester: string, { certificate, signature }: DiscoverySignature): boolean {
    return attester === this.attester && isText(this.#text, signature) && this.#certificate.is(certificate);
  }

  /** Last Unix second at which it holds, when it is by whom it names; else 0. */
  get verifiedUntil(): number {
    const { verdict } = this;
    return verdict?.ok === true && verdict.identity === this.attester ? verdict.notAfter : 0;
  }

  /** It is known not to be by whom it names, now or ever. */
  get isForged(): boolean {
    const { verdict } = this;
    if (verdict === undefined) return false;
    return verdict.ok ? verdict.identity !== this.attester : verdict.timeDependent !== true;
  }
}

/** What is known of one packet, in whichever records it stands. */
export class BookEntry implements Judged<PacketVerdict> {
  verdict: KnownPacket | Exclude<PacketVerdict, { ok: true }> | undefined = undefined;
  job: Judged<PacketVerdict>['job'] = undefined;
  waiting: Judged<PacketVerdict>['waiting'] = undefined;
  /** SHA-256 of the packet, as a string of 32 code units. */
  readonly key: string;
  /** When this node first saw the packet, in elapsed seconds. */
  readonly seenAt: number;
  /** Never changed in place, since records share it. */
  attestations: readonly JudgedAttestation[] = NONE;
  /** What has the bytes: the newest record with them, so that they are there once, or a message before there is one. */
  source: PacketSource;

  constructor(key: string, source: PacketSource, seenAt: number) {
    this.key = key;
    this.seenAt = seenAt;
    this.source = source;
  }

  /** The key as bytes, made anew each time. */
  get digest(): Uint8Array {
    return bytesOf(this.key);
  }

  /** The bytes; of a record, a copy each time. */
  get packet(): Uint8Array {
    return this.source.packet;
  }

  /** The same without a copy: to be read at once, and not to be kept. */
  peekPacket(): Uint8Array {
    return this.source.peekPacket?.() ?? this.source.packet;
  }

  add(slot: JudgedAttestation): void {
    this.attestations = [...this.attestations, slot];
  }

  /** What is known, or will be, of a signature over the packet; undefined for one that never came. */
  find(attester: string, signature: DiscoverySignature): JudgedAttestation | undefined {
    return this.attestations.find((slot) => slot.is(attester, signature));
  }

  /** What is known of a member's word for the packet. */
  stateOfWord(attester: string): 'verified' | 'underWay' | 'missing' {
    let isUnderWay = false;
    for (const slot of this.attestations) {
      if (slot.attester !== attester) continue;
      if (slot.verdict?.ok === true) return 'verified';
      isUnderWay ||= slot.verdict === undefined;
    }
    return isUnderWay ? 'underWay' : 'missing';
  }

  /** What was verified of a member's word for the packet: that which holds longest. */
  verifiedWord(attester: string): JudgedAttestation | undefined {
    let best: JudgedAttestation | undefined;
    for (const slot of this.attestations) {
      if (slot.attester === attester && slot.verifiedUntil > (best?.verifiedUntil ?? 0)) best = slot;
    }
    return best;
  }
}

const NONE: readonly JudgedAttestation[] = [];

/** Arguments of one call. */
const UNITS_AT_ONCE = 1024;

/** The bytes of a digest or a signature as a text of as many code units. */
export function textOf(bytes: Uint8Array): string {
  if (bytes.length <= UNITS_AT_ONCE) return unitsOf(bytes);
  let text = '';
  for (let at = 0; at < bytes.length; at += UNITS_AT_ONCE) {
    text += unitsOf(bytes.subarray(at, at + UNITS_AT_ONCE));
  }
  return text;
}

/** Not by spreading the bytes, which takes six times as long and an object for each of them. */
function unitsOf(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

function isText(text: string, bytes: Uint8Array): boolean {
  if (text.length !== bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) if (text.charCodeAt(i) !== bytes[i]) return false;
  return true;
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
