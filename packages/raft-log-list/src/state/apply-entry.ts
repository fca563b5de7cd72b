/**
 * What one log entry does to the list, and which earlier entries may then leave the log.
 *
 * The difficulty: an entry that is redacted here reaches a replica that lags as a tombstone, and its state machine never
 * sees it. If that entry was the one that deleted an older record, which the lagging replica still holds, then the older
 * record would live there for ever. So what deletes must outlast what it deletes, or something later must delete the
 * same again. Two rules give that:
 *
 * 1. Updates form a chain, and every entry after the first names the chain's `origin`. An entry with an origin deletes
 *    *all* records of that chain up to its `deleteIndex`. So the latest entry of a chain does everything again that the
 *    entries before it did, and those may be redacted.
 * 2. A removal ends the chain and is never redacted. Nor is a freeze marker. Both are smaller than a tombstone, which
 *    holds a hash of 32 bytes, so redacting them would save nothing.
 *
 * A leader without our extension field names no origin. Then an entry deletes exactly the record it names, and a record
 * that has itself deleted something stays in the log until compaction takes it.
 */
import type { LogIndex } from '@discovery-raft/raft-core';
import { decodeEntry, encodeEntry, type DecodedEntry, type EntryFields } from '../codec/entry-codec.js';
import type { ListLimits } from '../limits.js';
import { recordBytes, type Attestation, type ListSchema, type NewAttestation, type StoredRecord } from '../record.js';
import type { AttesterBook, ReadAttestation } from './attesters.js';
import type { Crc32, PackedSha256 } from './hashing.js';
import type { ListState } from './list-state.js';
import type { LiveRecord, ReadRecord } from './live-record.js';

/** By what a list takes or ignores records: the same on every replica. */
export interface ListRules {
  readonly schema: ListSchema;
  readonly limits: ListLimits;
  readonly sha256: PackedSha256;
  readonly crc32: Crc32;
  /** Of the schema. */
  readonly attesters: AttesterBook;
}

/**
 * Why an entry had no effect.
 *
 * - `malformed`: no `RaftLogEntry`, over a limit, or its fields contradict each other;
 * - `unknownPacket`: the schema does not know the packet;
 * - `empty`: neither packet nor deletion nor round; the writer uses it as a fence;
 * - `nothingToDelete`: a removal whose record is not there (any more).
 */
export type IgnoredReason = 'malformed' | 'unknownPacket' | 'empty' | 'nothingToDelete';

/** What an entry did. */
export type EntryEffect =
  | { readonly kind: 'inserted'; readonly record: StoredRecord; readonly replaced: readonly LiveRecord[] }
  | { readonly kind: 'deleted'; readonly records: readonly LiveRecord[]; readonly origin: LogIndex }
  | { readonly kind: 'marked'; readonly round: number }
  | { readonly kind: 'ignored'; readonly reason: IgnoredReason };

/** Removals and markers stay in the log for good, so they must be small. */
const MAX_RETAINED_BYTES = 64;

const MALFORMED: EntryEffect = { kind: 'ignored', reason: 'malformed' };

/**
 * Applies the data of the entry at `index` to `state`. Total and deterministic.
 *
 * @param dataHash SHA-256 of `data`, packed
 */
export function applyEntry(
  state: ListState,
  { index, data }: { readonly index: LogIndex; readonly data: Uint8Array },
  dataHash: string,
  rules: ListRules,
): EntryEffect {
  const entry = decodeEntry(data, rules.limits);
  if (entry === undefined || entry.origin > entry.deleteIndex) return MALFORMED;
  if (entry.packet.length > 0)
    return entry.round === 0 ? applyRecord(state, index, entry, data, dataHash, rules) : MALFORMED;
  if (entry.attestations.length > 0 || data.length > MAX_RETAINED_BYTES) return MALFORMED;
  if (entry.round > 0) return entry.deleteIndex === 0 ? { kind: 'marked', round: entry.round } : MALFORMED;
  if (entry.deleteIndex === 0) return { kind: 'ignored', reason: 'empty' };
  const records = named(entry, entry.origin > 0 ? state.chain(entry.origin) : state.at(entry.deleteIndex));
  for (const record of records) state.delete(record);
  return records.length > 0
    ? { kind: 'deleted', records, origin: entry.origin }
    : { kind: 'ignored', reason: 'nothingToDelete' };
}

function applyRecord(
  state: ListState,
  index: LogIndex,
  entry: DecodedEntry,
  data: Uint8Array,
  dataHash: string,
  rules: ListRules,
): EntryEffect {
  const read = readRecord(index, entry, data, dataHash, rules);
  if (read === undefined) return { kind: 'ignored', reason: 'unknownPacket' };
  const replaced = entry.deleteIndex === 0 ? [] : named(entry, state.get(read.identity));
  return { kind: 'inserted', record: state.replace(replaced, read), replaced };
}

/** Those of some records that the entry deletes. */
function named({ deleteIndex, origin }: EntryFields, records: readonly LiveRecord[]): readonly LiveRecord[] {
  return records.filter((record) =>
    origin > 0 ? record.origin === origin && record.index <= deleteIndex : record.index === deleteIndex,
  );
}

/**
 * Whether the entry of a record that `by` deleted may leave the log: when it deleted nothing itself, or when `by`
 * belongs to (or ends) the same chain by name. See the top of this file.
 *
 * @param byOrigin the origin that the deleting entry names; 0 for none
 */
export function mayRedact(deleted: StoredRecord, byOrigin: LogIndex): boolean {
  if (deleted.deleteIndex === 0) return true;
  return deleted.origin < deleted.index && deleted.origin === byOrigin;
}

/**
 * Reads a record out of an entry with a packet; undefined when the schema does not know the packet.
 *
 * @param data what the entry was read from; the record is made of them if they are the canonical ones
 * @param dataHash packed SHA-256 of `data`
 */
export function readRecord(
  index: LogIndex,
  entry: DecodedEntry,
  data: Uint8Array,
  dataHash: string,
  { schema, limits, sha256, attesters: book }: ListRules,
): ReadRecord | undefined {
  const described = describePacket(entry.packet, schema, limits);
  if (described === undefined) return undefined;
  const { packet, deleteIndex } = entry;
  const attestations = readAttestations(entry.attestations, book);
  const origin = entry.origin > 0 ? entry.origin : index;
  const isCanonical = entry.canonical && attestations.length === entry.attestations.length && entry.origin !== index;
  // An origin that is the record itself goes without saying.
  const canonical = { packet, attestations, deleteIndex, origin: origin === index ? 0 : origin };
  const bytes = isCanonical ? data : encodeEntry(canonical);
  const hash = isCanonical ? dataHash : sha256(bytes);
  const countedBytes = recordBytes({ packet, attestations });
  return {
    index,
    ...described,
    deleteIndex,
    origin,
    attesters: book.of(attestations),
    entry: bytes,
    hash,
    isCanonical,
    countedBytes,
  };
}

/** What the schema says of a packet, held to the limits; undefined when it says nothing usable. */
export function describePacket(
  packet: Uint8Array,
  schema: ListSchema,
  limits: ListLimits,
): { readonly identity: string; readonly expiration: number } | undefined {
  try {
    const described = schema.describe(packet);
    if (described === undefined) return undefined;
    const { identity, expiration } = described;
    if (identity.length === 0 || identity.length > limits.maxIdentityLength) return undefined;
    return Number.isSafeInteger(expiration) && expiration >= 0 ? { identity, expiration } : undefined;
  } catch {
    return undefined;
  }
}

function readAttestations(entries: readonly NewAttestation[], book: AttesterBook): readonly ReadAttestation[] {
  const read: ReadAttestation[] = [];
  for (const { signature, expiration } of entries) {
    const certificate = book.find(signature.certificate);
    const { attester } = certificate;
    if (attester !== undefined) addAttestation(read, { attester, signature, expiration, certificate });
  }
  return read;
}

/**
 * Adds an attestation: of one attester, the one that holds longer stays, and the one that was there when both hold
 * equally long.
 *
 * @returns whether `attestations` changed
 */
export function addAttestation<Of extends Attestation>(attestations: Of[], added: Of): boolean {
  const at = attestations.findIndex(({ attester }) => attester === added.attester);
  const present = attestations[at];
  if (present === undefined) attestations.push(added);
  else if (present.expiration < added.expiration) attestations[at] = added;
  else return false;
  return true;
}
