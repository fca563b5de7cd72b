import type { Steps } from '@discovery-raft/psp-envelope';
import { compareBytes } from './bytes.js';
import type { JudgedEntry } from './judgement.js';
import { placeFrom } from './places-in.js';

/** By which entries are chosen. */
export interface ChoiceRules {
  /** When the listing is for, Unix seconds. */
  readonly creation: number;
  /** Countable attestations that make an entry valid. */
  readonly attestationsNeeded: number;
  /** Whether only valid entries are listed. */
  readonly onlyValid: boolean;
}

/** What goes into a listing, and the counts beside it. */
export interface EntryChoice {
  /** The newest entry of each identity that may be listed, in the order of the identities. */
  readonly listed: readonly JudgedEntry[];
  /** Identities with an unexpired record. */
  readonly present: number;
  /** Of those, how many have a valid entry. */
  readonly valid: number;
  /** For the next one, which then takes less time. */
  readonly columns: EntryColumns;
}

/** Entries in order, and beside each what decides about it: a walk over these need not look into the entries themselves. */
export interface EntryColumns {
  readonly entries: readonly JudgedEntry[];
  readonly attestationsNeeded: number;
  /** Unix seconds. */
  readonly expirations: Float64Array;
  readonly flags: Uint8Array;
}

/** The entry has an item. */
const HAS_ITEM = 1;
/** It has as many attestations as it needs, and an item. */
const IS_ATTESTED = 2;
/** No other entry has its identity. */
const IS_ALONE = 4;

/**
 * Chooses what is listed. The same whatever `before` is.
 *
 * @param entries in any order; in that of their identities it is O(n)
 * @param before of any choice made earlier: what is in it, the same objects next to the same ones, is not looked at again
 * @param perStep entries between two places where the work may be interrupted
 */
export function* choiceSteps(
  entries: readonly JudgedEntry[],
  rules: ChoiceRules,
  before: EntryColumns | undefined,
  perStep: number,
): Steps<EntryChoice> {
  const columns = yield* columnsSteps(entries, rules.attestationsNeeded, before, perStep);
  if (columns === undefined) return yield* choiceSteps(sorted(entries), rules, undefined, perStep);
  const { expirations, flags } = columns;
  const { creation, onlyValid } = rules;
  const listed: JudgedEntry[] = [];
  let present = 0;
  let valid = 0;
  for (let at = 0, looked = 1; at < entries.length; looked++) {
    let isPresent = false;
    let isValid = false;
    let best: JudgedEntry | undefined;
    const end = (flags[at]! & IS_ALONE) !== 0 ? at + 1 : endOfIdentity(entries, at);
    for (; at < end; at++) {
      if (expirations[at]! <= creation) continue;
      const isAttested = (flags[at]! & IS_ATTESTED) !== 0;
      isPresent = true;
      isValid ||= isAttested;
      if ((flags[at]! & HAS_ITEM) === 0 || (onlyValid && !isAttested)) continue;
      if (best === undefined || isNewer(entries[at]!, best)) best = entries[at];
    }
    if (isPresent) present++;
    if (isValid) valid++;
    if (best !== undefined) listed.push(best);
    if (looked % perStep === 0) yield;
  }
  return { listed, present, valid, columns };
}

/** The columns of entries; undefined when these are not in order. */
function* columnsSteps(
  entries: readonly JudgedEntry[],
  attestationsNeeded: number,
  before: EntryColumns | undefined,
  perStep: number,
): Steps<EntryColumns | undefined> {
  const held = before?.attestationsNeeded === attestationsNeeded ? before : undefined;
  const expirations = new Float64Array(entries.length);
  const flags = new Uint8Array(entries.length);
  let place = 0;
  for (let at = 0; at < entries.length; at++) {
    if (held !== undefined && held.entries[place] !== entries[at]) place = placeFrom(held.entries, entries[at]!, place);
    if (held !== undefined && isKnown(entries, at, held, place)) {
      expirations[at] = held.expirations[place]!;
      flags[at] = held.flags[place]!;
    } else {
      const { identity, expiration, itemLength, attestations } = entries[at]!;
      const previous = at === 0 ? undefined : entries[at - 1]!.identity;
      if (previous !== undefined && previous > identity) return undefined;
      expirations[at] = expiration;
      if (itemLength !== undefined) flags[at] = attestations >= attestationsNeeded ? HAS_ITEM | IS_ATTESTED : HAS_ITEM;
      const next = at + 1 < entries.length ? entries[at + 1]!.identity : undefined;
      if (previous !== identity && next !== identity) flags[at]! |= IS_ALONE;
    }
    if (at % perStep === perStep - 1) yield;
  }
  return { entries, attestationsNeeded, expirations, flags };
}

/** Whether an entry is the same one as before, between the same ones. At the ends, where an array has nothing, it is looked at. */
function isKnown(
  entries: readonly JudgedEntry[],
  at: number,
  { entries: before }: EntryColumns,
  place: number,
): boolean {
  if (at === 0 || place === 0 || at + 1 >= entries.length || place + 1 >= before.length) return false;
  return (
    entries[at] === before[place] && entries[at - 1] === before[place - 1] && entries[at + 1] === before[place + 1]
  );
}

function endOfIdentity(entries: readonly JudgedEntry[], from: number): number {
  const { identity } = entries[from]!;
  let end = from + 1;
  while (end < entries.length && entries[end]!.identity === identity) end++;
  return end;
}

/** Identities are ASCII (anything else was refused as a packet), so comparing code units compares bytes. */
function sorted(entries: readonly JudgedEntry[]): readonly JudgedEntry[] {
  return entries.toSorted((a, b) => (a.identity < b.identity ? -1 : a.identity === b.identity ? 0 : 1));
}

/** Total order of versions of one identity: expiration, then bytes, so that equal expirations cannot split voters. */
function isNewer(entry: JudgedEntry, held: JudgedEntry): boolean {
  if (entry.expiration !== held.expiration) return entry.expiration > held.expiration;
  return compareBytes(entry.itemBytes ?? NO_BYTES, held.itemBytes ?? NO_BYTES) > 0;
}

const NO_BYTES = new Uint8Array(0);
