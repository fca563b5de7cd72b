import type { LogIndex } from '@discovery-raft/raft-core';
import { sameBytes, type Attestation, type StoredRecord } from '../record.js';
import { Outcome, type Operation, type UpsertOperation } from './operations.js';

/** A packet that has been read. */
export interface ReadPacket {
  readonly packet: Uint8Array;
  readonly identity: string;
  readonly expiration: number;
  readonly attestations: readonly Attestation[];
}

/**
 * The writes of one identity, one after the other. An entry that is in flight has no log index yet, so nothing can name
 * it as its original: what comes meanwhile waits, and is merged. So the speculative view of an identity is the applied
 * one plus at most one write, and two writes in flight never name the same original. Identities do not wait for each
 * other.
 */
export interface Lane {
  readonly identity: string;
  readonly operations: Operation[];
  /** What is in flight. */
  current: Operation | undefined;
  busy: boolean;
  /** The outcome of a write is unknown, so the list may still change: a fence must be applied before the next one. */
  uncertain: boolean;
}

const NONE: readonly Attestation[] = [];

/** The write of this packet that still waits and may take in more; a removal behind it closes it. */
export function findWaiting(lane: Lane, packet: Uint8Array): UpsertOperation | undefined {
  for (const operation of lane.operations.toReversed()) {
    if (operation.kind === 'remove') return undefined;
    if (sameBytes(operation.packet, packet)) return operation;
  }
  return undefined;
}

/** Queues the write of a packet. */
export function addUpsert(lane: Lane, { packet, expiration }: ReadPacket): UpsertOperation {
  const operation: UpsertOperation = {
    kind: 'upsert',
    packet,
    expiration,
    attestations: [],
    ready: false,
    bytes: 0,
    done: new Outcome(),
  };
  lane.operations.push(operation);
  return operation;
}

/** The fields with which an entry names what it deletes. */
export function namesOf(original: StoredRecord | undefined): { deleteIndex: LogIndex; origin: LogIndex } {
  return { deleteIndex: original?.index ?? 0, origin: original?.origin ?? 0 };
}

/**
 * Attesters of a packet: those in the list, and those of `more`.
 *
 * @param same the records with this packet
 */
export function countAttesters(same: readonly StoredRecord[], more: readonly (readonly Attestation[])[]): number {
  const attesters: string[] = [];
  const count = (attester: string): void => {
    if (!attesters.includes(attester)) attesters.push(attester);
  };
  for (const record of same) record.attesters.forEach(count);
  for (const attestations of more) for (const { attester } of attestations) count(attester);
  return attesters.length;
}

/** Attestations of a packet that are being written. */
export function attestationsInFlight(lane: Lane | undefined, packet: Uint8Array): readonly Attestation[] {
  const current = lane?.current;
  return current?.kind === 'upsert' && sameBytes(current.packet, packet) ? current.attestations : NONE;
}

/** Bytes of certificates and signatures. */
export function attestationBytes(attestations: readonly Attestation[]): number {
  let bytes = 0;
  for (const { signature } of attestations) bytes += signature.certificate.length + signature.signature.length;
  return bytes;
}

/** Packets of an identity side by side: in the list, in flight and waiting. */
export function packetsOf(records: readonly StoredRecord[], lane: Lane | undefined): readonly Uint8Array[] {
  const packets = records.map(({ packet }) => packet);
  for (const operation of [lane?.current, ...(lane?.operations ?? [])]) {
    if (operation?.kind !== 'upsert') continue;
    if (!packets.some((packet) => sameBytes(packet, operation.packet))) packets.push(operation.packet);
  }
  return packets;
}
