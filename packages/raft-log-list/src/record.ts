import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { LogIndex } from '@discovery-raft/raft-core';

/** What a packet says of itself. */
export interface PacketClaims {
  /** Whose it is; never empty. */
  readonly identity: string;
  /** Until when it holds; Unix seconds, an integer from 0. */
  readonly expiration: number;
}

/**
 * What a list is about: the only part that knows what packets and signatures mean. Injected, so that the list itself
 * knows no PKI.
 *
 * Both functions must be **deterministic and the same on every replica**: their answer may depend on nothing but the
 * bytes, not on the time, not on a configuration that differs between nodes, not on whether a signature is valid (who
 * writes checks that before). They must not throw; a throw counts as `undefined`.
 */
export interface ListSchema {
  /**
   * Reads a packet.
   *
   * @param packet the publisher's bytes; not to be written into
   * @returns undefined when it is no packet of this list
   */
  describe(packet: Uint8Array): PacketClaims | undefined;
  /**
   * Names who made an attestation (never empty), or undefined when that cannot be read. Asked once for many attestations
   * that carry the same certificate.
   *
   * @param certificate not to be written into
   */
  attester(certificate: Uint8Array): string | undefined;
}

/** One node's word for a packet: its signature over exactly the packet's bytes. Immutable. */
export interface Attestation {
  /** Who signed, as the schema names it; once in a record. */
  readonly attester: string;
  readonly signature: DiscoverySignature;
  /** Unix seconds. */
  readonly expiration: number;
}

/** An attestation on its way into the list; who made it is read from the signature. */
export type NewAttestation = Pick<Attestation, 'signature' | 'expiration'>;

/**
 * One record. Immutable, but for `isLive`. The same record is the same object in every view, for as long as it lives.
 *
 * `packet` and `attestations` are decoded each time that they are read, from one packed copy of the bytes: whoever needs them
 * several times keeps them in a variable, and who only compares asks `hasPacket` or looks into `attesters`. What they give is
 * the caller's to keep, but not to write into.
 */
export interface ListRecord {
  /** The record's id: the index of its log entry. */
  readonly index: LogIndex;
  readonly identity: string;
  readonly packet: Uint8Array;
  /** The same without a copy: to be read or sent at once, since whoever keeps it keeps much more in memory. */
  peekPacket(): Uint8Array;
  /** Of the packet; Unix seconds. A packet with a greater one is the newer. */
  readonly expiration: number;
  /** Whether this is its packet. */
  hasPacket(packet: Uint8Array): boolean;
  /** In the order in which they came; each attester once. */
  readonly attestations: readonly Attestation[];
  /** Who made them, in the same order. */
  readonly attesters: readonly string[];
  /** How many of them hold beyond that Unix second; nothing is copied for it. */
  holding(atSeconds: number): number;
  /** Whether it is in the list at this moment; it does not come back once it has left. */
  readonly isLive: boolean;
}

/** A record together with its place in the chain of updates. */
export interface StoredRecord extends ListRecord {
  /** The record that this one replaced; 0 for none. */
  readonly deleteIndex: LogIndex;
  /** First record of the chain of updates that led here; its own index when it began one. */
  readonly origin: LogIndex;
}

const RECORD_OVERHEAD_BYTES = 32;
const ATTESTATION_OVERHEAD_BYTES = 16;

/** What a record counts for in `liveBytes`: its bytes, and a fixed overhead of 32 a record and 16 an attestation. */
export function recordBytes(record: Pick<ListRecord, 'packet' | 'attestations'>): number {
  let bytes = RECORD_OVERHEAD_BYTES + record.packet.length;
  for (const { signature } of record.attestations) {
    bytes += ATTESTATION_OVERHEAD_BYTES + signature.certificate.length + signature.signature.length;
  }
  return bytes;
}

/** Whether two byte strings are the same. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
