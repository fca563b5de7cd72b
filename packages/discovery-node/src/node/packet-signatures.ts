import { hash } from 'node:crypto';
import {
  signedContentOf,
  type PacketSignature,
  type RaftPacketFields,
  type UnsignedRaftPacket,
} from '@discovery-raft/psp-envelope';
import { validityOf, type CertificateVerifier, type FlatCertificate } from '@discovery-raft/psp-pki';
import type { Clock, Logger } from '@discovery-raft/raft-core';
import { NodeCertificates } from '../pki/node-certificates.js';
import type { NodeSigner } from '../pki/node-identity.js';
import { readOrUndefined } from '../pki/read-or-undefined.js';
import type { VerifierRoots } from '../pki/verifier-roots.js';
import { PeerAlarms } from './peer-alarms.js';
import type { SignaturePolicy } from './signature-policy.js';

/** Why a packet's signature, or the lack of one, has it dropped. */
export const SIGNATURE_REFUSALS = [
  /** There is none, and it is required. */
  'unsigned',
  /** There is none, and this peer has signed before. */
  'downgraded',
  /** The certificate cannot be read, is forged, or is of an identity that no trust root names. */
  'badCertificate',
  /** The certificate is of another identity than the packet's source. */
  'wrongSigner',
  /** The signature is not the certificate's key's over this packet. */
  'badSignature',
  /** The certificate is outside its dates, and the peer has shown a newer one. */
  'outdatedCertificate',
] as const;

/** One of {@link SIGNATURE_REFUSALS}. */
export type SignatureRefusal = (typeof SIGNATURE_REFUSALS)[number];

/** What an alarm says of a refusal. */
const ADVICE: Readonly<Record<SignatureRefusal, string>> = {
  unsigned:
    'its Raft packets are not signed: set its raft.signatures to prefer or require, or that of this node to prefer',
  downgraded:
    'its Raft packets were signed and are not any more: if that is meant, restart this node to have it forget',
  badCertificate: 'its Raft packets carry no certificate of a discovery node of the trust root',
  wrongSigner: 'its Raft packets are signed by another node',
  badSignature: 'its Raft packets are forged, or were changed on their way',
  outdatedCertificate:
    'its Raft packets are signed with a certificate that has run out and was replaced: run keys rotate',
};

/** Packets that were taken, by what they were signed with. */
export interface SignatureCounts {
  good: number;
  /** Good, by a certificate outside its dates. */
  outsideDates: number;
  /** Not signed at all. */
  none: number;
}

/** What a node made of a packet's signature: it was taken, as one of these counts, or dropped. */
export type SignatureVerdict = keyof SignatureCounts | SignatureRefusal;

/** What {@link PacketSignatures} needs. */
export interface PacketSignaturesOptions {
  readonly policy: Exclude<SignaturePolicy, 'off'>;
  readonly signer: NodeSigner;
  /** Whose certificates are believed. */
  readonly roots: VerifierRoots;
  /** Unix seconds, as everything that is judged by certificates has them. */
  readonly now: () => number;
  /** For the pauses between alarms. */
  readonly clock: Pick<Clock, 'now'>;
  readonly logger: Logger;
}

/** What is known of a peer that has signed. */
interface Known {
  readonly counts: SignatureCounts;
  /** Of its last packet; null before the first. */
  last: SignatureVerdict | null;
  /** When the newest certificate begins that it has signed with, Unix seconds; null for none yet. */
  newest: number | null;
  /** Begin of the certificate that was last told to be outside its dates. */
  told: number | null;
}

/** A few certificates of 31 nodes at most. */
const CACHE_ENTRIES = 256;

/**
 * Signs the Raft packets of a node and judges those of its peers (ADR 0018). Both on the spot: packets keep their order, and
 * a hand-over to another thread and back takes longer than the signature.
 */
export class PacketSignatures {
  readonly #options: PacketSignaturesOptions;
  readonly #certificates: NodeCertificates;
  readonly #alarms: PeerAlarms;
  /** By identity; only members come this far, so it is as long as the trust roots. */
  readonly #peers = new Map<string, Known>();

  constructor(options: PacketSignaturesOptions) {
    this.#options = options;
    const limits = { cacheEntries: CACHE_ENTRIES, keyCacheEntries: CACHE_ENTRIES };
    this.#certificates = new NodeCertificates(options.roots, limits);
    this.#alarms = new PeerAlarms(options.clock, options.logger);
  }

  /** Times that a person was told of a refusal; alarms of one peer are a minute apart. */
  get alarms(): number {
    return this.#alarms.raised;
  }

  /** Packets that were taken since the start, by peer. */
  get counts(): ReadonlyMap<string, Readonly<SignatureCounts>> {
    return new Map([...this.#peers].map(([peer, { counts }]) => [peer, { ...counts }]));
  }

  /** What was made of the last packet of a peer; null when none has come. */
  lastOf(peer: string): SignatureVerdict | null {
    return this.#peers.get(peer)?.last ?? null;
  }

  /** Signs a packet of this node. */
  sign(packet: UnsignedRaftPacket): PacketSignature {
    return this.#options.signer.signAtOnce(contentOf(packet));
  }

  /** Judges a packet whose source is a member: null for one to be taken. */
  judge(packet: RaftPacketFields): SignatureRefusal | null {
    const known = this.#knownOf(packet.sourceId);
    const { signature } = packet;
    const verdict = signature === undefined ? this.#judgeUnsigned(known) : this.#judgeSigned(packet, signature, known);
    known.last = verdict;
    if (isTaken(verdict)) {
      known.counts[verdict]++;
      return null;
    }
    this.#alarms.raise('raftPacketsRefused', packet.sourceId, ADVICE[verdict]);
    return verdict;
  }

  #judgeUnsigned(known: Known): SignatureVerdict {
    if (this.#options.policy === 'require') return 'unsigned';
    return known.newest === null ? 'none' : 'downgraded';
  }

  #judgeSigned(packet: RaftPacketFields, signature: PacketSignature, known: Known): SignatureVerdict {
    const verifier = this.#certificates.verifier;
    const certificate = readOrUndefined(() => verifier.readCertificate(signature.certificate));
    if (certificate === undefined) return 'badCertificate';
    if (certificate.identity.text !== packet.sourceId) return 'wrongSigner';
    if (!verifier.root.discoveryNodes.has(packet.sourceId)) return 'badCertificate';
    const refusal = this.#verify(verifier, certificate, packet, signature);
    return refusal ?? this.#judgeDates(packet.sourceId, certificate, known);
  }

  /** At a moment within the certificate's dates, which are judged by themselves. */
  #verify(
    verifier: CertificateVerifier,
    certificate: FlatCertificate,
    packet: RaftPacketFields,
    { signature }: PacketSignature,
  ): SignatureRefusal | null {
    const { notBefore } = validityOf(certificate);
    const verdict = verifier.verifySignature(certificate, contentOf(packet), signature, notBefore);
    if (verdict.ok) return null;
    return verdict.code === 'PKI_BAD_MESSAGE_SIGNATURE' ? 'badSignature' : 'badCertificate';
  }

  /**
   * A certificate that has run out counts until its node shows a newer one: Raft goes on by links and members alone, and must
   * not end with the certificates of a day or with a clock that is wrong. A key that was replaced ends with its date.
   */
  #judgeDates(peer: string, certificate: FlatCertificate, known: Known): SignatureVerdict {
    const { notBefore, notAfter } = validityOf(certificate);
    const now = Math.floor(this.#options.now());
    const outside = now < notBefore || now > notAfter;
    if (outside && known.newest !== null && known.newest > notBefore) return 'outdatedCertificate';
    known.newest = Math.max(known.newest ?? 0, notBefore);
    if (!outside) return 'good';
    if (known.told !== notBefore) {
      known.told = notBefore;
      const message = 'Raft packets of a peer are signed with a certificate outside its dates; they count all the same';
      this.#options.logger.warn(message, { peer, notBefore, notAfter });
    }
    return 'outsideDates';
  }

  #knownOf(peer: string): Known {
    let known = this.#peers.get(peer);
    if (known === undefined) {
      known = { counts: { good: 0, outsideDates: 0, none: 0 }, last: null, newest: null, told: null };
      this.#peers.set(peer, known);
    }
    return known;
  }
}

function isTaken(verdict: SignatureVerdict): verdict is keyof SignatureCounts {
  return verdict === 'good' || verdict === 'outsideDates' || verdict === 'none';
}

function contentOf(packet: UnsignedRaftPacket): Uint8Array {
  return signedContentOf(packet, (payload) => hash('sha256', payload, 'buffer'));
}
