import type { Attestation, StoredRecord } from '../record.js';
import { addAttestation } from '../state/apply-entry.js';

/** What became of an upsert. */
export type UpsertOutcome =
  /** The record is committed and applied here. */
  | { readonly kind: 'written'; readonly record: StoredRecord }
  /** The list held all of it already. */
  | { readonly kind: 'unchanged'; readonly record: StoredRecord }
  /** The list holds a packet of this identity that is as new or newer, and not this one. Nothing was written. */
  | { readonly kind: 'stale'; readonly newest: StoredRecord };

/** A promise that is settled from outside, once. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** Makes one. */
export function createDeferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** Who is told what came of a write: each once, one way or the other. */
export class Outcome<T> {
  #told: ((value: T) => void)[] = [];
  #failed: ((error: Error) => void)[] = [];

  /** Neither may throw. */
  add(told: (value: T) => void, failed: (error: Error) => void): void {
    this.#told.push(told);
    this.#failed.push(failed);
  }

  resolve(value: T): void {
    for (const tell of this.#settle().told) tell(value);
  }

  reject(error: Error): void {
    for (const tell of this.#settle().failed) tell(error);
  }

  #settle(): { readonly told: readonly ((value: T) => void)[]; readonly failed: readonly ((error: Error) => void)[] } {
    const settled = { told: this.#told, failed: this.#failed };
    this.#told = [];
    this.#failed = [];
    return settled;
  }
}

/** A packet and the attestations that came for it, waiting to be written together. */
export interface UpsertOperation {
  readonly kind: 'upsert';
  readonly packet: Uint8Array;
  readonly expiration: number;
  readonly attestations: Attestation[];
  /** Whether it may be written: its window is over, or the threshold is reached. */
  ready: boolean;
  /** Taken from the limit on pending bytes. */
  bytes: number;
  readonly done: Outcome<UpsertOutcome>;
}

/** The removal of those records of an identity that are chosen when its turn comes. */
export interface RemoveOperation {
  readonly kind: 'remove';
  readonly choose: (records: readonly StoredRecord[]) => readonly StoredRecord[];
  readonly ready: true;
  bytes: number;
  readonly done: Deferred<number>;
}

/** What waits in a lane. */
export type Operation = UpsertOperation | RemoveOperation;

/**
 * What writing a packet comes to, given what the list holds of its identity.
 *
 * - `update` with `original`: insert new + delete original; `attestations` is all that the original carried and what is
 *   new, and `duplicates` are further records of the same packet, whose attestations are in it too;
 * - `update` without: a plain insert beside whatever there is.
 */
export type UpsertPlan =
  | {
      readonly kind: 'update';
      readonly original: StoredRecord | undefined;
      readonly duplicates: readonly StoredRecord[];
      readonly attestations: readonly Attestation[];
    }
  | { readonly kind: 'unchanged'; readonly record: StoredRecord }
  | { readonly kind: 'stale'; readonly newest: StoredRecord };

const NONE: readonly StoredRecord[] = [];

/** What is to be written. */
interface PacketToWrite {
  readonly packet: Uint8Array;
  readonly expiration: number;
}

/** The records of an identity with this packet; of another expiration it is another packet. */
export function recordsOf(
  records: readonly StoredRecord[],
  { packet, expiration }: PacketToWrite,
): readonly StoredRecord[] {
  const has = (record: StoredRecord): boolean => record.expiration === expiration && record.hasPacket(packet);
  // Mostly there are none: a newer packet takes the place of the one that is listed.
  return records.some(has) ? records.filter(has) : NONE;
}

/**
 * Plans a write. Pure.
 *
 * @param records of the identity, the older packet first
 * @param same those of them with this packet, see {@link recordsOf}
 */
export function planUpsert(
  records: readonly StoredRecord[],
  same: readonly StoredRecord[],
  upsert: PacketToWrite & { readonly attestations: readonly Attestation[] },
): UpsertPlan {
  const original = same.at(-1);
  if (original === undefined) {
    const newest = records.at(-1);
    if (newest !== undefined && newest.expiration >= upsert.expiration) return { kind: 'stale', newest };
    return { kind: 'update', original, duplicates: NONE, attestations: upsert.attestations };
  }
  const duplicates = same.slice(0, -1);
  const attestations = [...original.attestations];
  let changed = false;
  for (const duplicate of duplicates) {
    for (const attestation of duplicate.attestations) changed = addAttestation(attestations, attestation) || changed;
  }
  for (const attestation of upsert.attestations) changed = addAttestation(attestations, attestation) || changed;
  return changed ? { kind: 'update', original, duplicates, attestations } : { kind: 'unchanged', record: original };
}

/**
 * Records of one expiration that another is compared with: the nearest. An honest leader writes hardly ever two, and a lying one
 * thousands, which must not be compared each with each.
 */
const MAX_ALIKE = 16;

/**
 * The records of one identity that nobody needs any more: expired ones, those older than a packet that holds and has
 * reached the threshold, and those whose packet and attesters another record has too.
 *
 * @param records of one identity, the older packet first
 * @param nowSeconds Unix seconds; -1 when nothing counts as expired
 */
export function dispensable(
  records: readonly StoredRecord[],
  threshold: number,
  nowSeconds: number,
): readonly StoredRecord[] {
  // Nearly every identity has one record, and a list has many identities.
  if (records.length === 1) return records[0]!.expiration <= nowSeconds ? records : NONE;
  const kept = new Set<StoredRecord>();
  let alike: StoredRecord[] = [];
  let complete = false;
  let completeExpiration = 0;
  for (const record of records.toReversed()) {
    if (record.expiration <= nowSeconds) continue;
    if (complete && record.expiration < completeExpiration) continue;
    if (record.expiration !== alike[0]?.expiration) alike = [];
    if (alike.some((other) => covers(other, record))) continue;
    kept.add(record);
    alike.push(record);
    if (alike.length > MAX_ALIKE) alike.shift();
    if (!complete && record.holding(nowSeconds) >= threshold) {
      complete = true;
      completeExpiration = record.expiration;
    }
  }
  return records.filter((record) => !kept.has(record));
}

/** Whether `a` says all that `b` says. */
function covers(a: StoredRecord, b: StoredRecord): boolean {
  if (!a.hasPacket(b.peekPacket())) return false;
  const theirs = a.attestations;
  return b.attestations.every(({ attester, expiration }) =>
    theirs.some((other) => other.attester === attester && other.expiration >= expiration),
  );
}
