import type { LogIndex } from '@discovery-raft/raft-core';
import { DueSlots } from './due-slots.js';
import { FreezableArray } from './freezable-array.js';
import { recordsOf, SEVERAL, type FrozenState, type Held } from './list-view.js';
import { LiveRecord, type ReadRecord } from './live-record.js';
import { compareIdentities, compareRecords } from './record-order.js';
import { RecordRows } from './record-rows.js';
import { RecordSlabs } from './record-slabs.js';
import { SlotOrder } from './slot-order.js';

/**
 * The live records, found by identity, by origin and, if ever asked, by log index.
 *
 * An identity has a slot, a small number, for as long as it has records. What an update touches is the slot's element alone:
 * the order of identities, and the maps from names and numbers to slots, stay as they are unless an identity or a
 * chain of updates comes or goes. Order, slots and rows are shared with views; the rest belongs to the present alone.
 *
 * An honest leader keeps few records of an identity and one of a chain; the arrays here are cheap for that, and merely
 * slow for any other.
 */
export class ListState {
  readonly #order = new SlotOrder();
  readonly #rows = new RecordRows();
  readonly #held = new FreezableArray<Held | undefined>();
  /** By slot, the row of its record, or that it has several: who walks over slots need not look at the records for that. */
  readonly #rowOf = new FreezableArray<number>();
  readonly #due = new DueSlots();
  readonly #slots = new Map<string, number>();
  readonly #freeSlots: number[] = [];
  /** Slots that hold a record of the chain; honest chains have one. Made when a first removal asks, which a restart may never see. */
  #byOrigin: Chains | undefined;
  /** Slots by log index; made when somebody first asks, which our own writer never does. */
  #byIndex: Map<LogIndex, number> | undefined;
  readonly #slabs = new RecordSlabs();
  #size = 0;
  #liveBytes = 0;

  get size(): number {
    return this.#size;
  }

  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** The live records of an identity, in list order. */
  get(identity: string): readonly LiveRecord[] {
    const slot = this.#slots.get(identity);
    return slot === undefined ? [] : this.#at(slot);
  }

  /** The live record with this log index, alone in an array. */
  at(index: LogIndex): readonly LiveRecord[] {
    this.#byIndex ??= this.#indexed();
    const slot = this.#byIndex.get(index);
    return slot === undefined ? [] : this.#at(slot).filter((record) => record.index === index);
  }

  /** The live records of a chain of updates, oldest first. */
  chain(origin: LogIndex): readonly LiveRecord[] {
    const slots = this.#chains().get(origin);
    if (slots === undefined) return [];
    const records = typeof slots === 'number' ? this.#at(slots) : slots.flatMap((slot) => this.#at(slot));
    return records.filter((record) => record.origin === origin).sort((a, b) => a.index - b.index);
  }

  /**
   * The identities, in order, of which some record may have to go at that Unix second: because it has expired, or because
   * there is another. O(slots), a millisecond for a million.
   */
  due(nowSeconds: number): string[] {
    const identities = this.#due.by(nowSeconds).map((slot) => this.#at(slot)[0]!.identity);
    return identities.sort(compareIdentities);
  }

  /** Takes `replaced` out, all of them live and of the record's identity, and puts `read` in, whose index is new. */
  replace(replaced: readonly LiveRecord[], read: ReadRecord): LiveRecord {
    const slot = this.#slots.get(read.identity) ?? this.#openSlot(read.identity);
    const before = this.#at(slot);
    const row = this.#rows.add(read.index, read.hash);
    const record = new LiveRecord(read, before[0]?.identity ?? read.identity, row, this.#slabs);
    const after = withRecord(before, replaced, record);
    this.#hold(slot, after, replaced, record);
    this.#byIndex?.set(record.index, slot);
    this.#size++;
    this.#liveBytes += record.countedBytes;
    for (const old of replaced) this.#forget(old);
    return record;
  }

  /** Takes a live record out. */
  delete(record: LiveRecord): void {
    const { identity } = record;
    const slot = this.#slots.get(identity)!;
    const before = this.#at(slot);
    const rest = before.filter((other) => other !== record);
    this.#hold(slot, rest, [record]);
    this.#forget(record);
    if (rest.length > 0) return;
    this.#slots.delete(identity);
    this.#order.close(identity);
    this.#freeSlots.push(slot);
  }

  /** Another state takes the place of this one: none of its records is in the list any more. O(records). */
  abandon(): void {
    for (const slot of this.#slots.values()) for (const record of this.#at(slot)) record.abandon();
  }

  /** The list as it is now, for good; constant time. */
  freeze(): FrozenState {
    return {
      size: this.#size,
      liveBytes: this.#liveBytes,
      order: this.#order.freeze(),
      held: this.#held.freeze(),
      rowOf: this.#rowOf.freeze(),
      rows: this.#rows.freeze(),
    };
  }

  #at(slot: number): readonly LiveRecord[] {
    return recordsOf(this.#held.get(slot));
  }

  /** The records of a slot have become others: some have left, and one may have come. */
  #hold(slot: number, after: readonly LiveRecord[], left: readonly LiveRecord[], came?: LiveRecord): void {
    const [first] = after;
    const isSeveral = after.length > 1;
    this.#held.set(slot, isSeveral ? after : first);
    this.#rowOf.set(slot, isSeveral ? SEVERAL : (first?.row ?? SEVERAL));
    this.#due.set(slot, isSeveral ? 0 : first?.expiration);
    this.#relink(slot, after, left, came);
  }

  #openSlot(identity: string): number {
    const slot = this.#freeSlots.pop() ?? this.#slots.size;
    this.#slots.set(identity, slot);
    this.#order.open(identity, slot);
    return slot;
  }

  #forget(record: LiveRecord): void {
    this.#byIndex?.delete(record.index);
    this.#size--;
    this.#liveBytes -= record.countedBytes;
    record.leave(this.#slabs, this.#rows);
  }

  /** Notes which chains have come to it, and which are gone from it. */
  #relink(slot: number, after: readonly LiveRecord[], left: readonly LiveRecord[], came?: LiveRecord): void {
    const byOrigin = this.#byOrigin;
    if (byOrigin === undefined) return;
    for (const { origin } of left) if (!hasOrigin(after, origin)) unlink(byOrigin, origin, slot);
    if (came !== undefined) link(byOrigin, came.origin, slot);
  }

  #chains(): Chains {
    if (this.#byOrigin !== undefined) return this.#byOrigin;
    const byOrigin: Chains = new Map();
    for (const slot of this.#slots.values()) for (const { origin } of this.#at(slot)) link(byOrigin, origin, slot);
    this.#byOrigin = byOrigin;
    return byOrigin;
  }

  #indexed(): Map<LogIndex, number> {
    const byIndex = new Map<LogIndex, number>();
    for (const slot of this.#slots.values()) for (const { index } of this.#at(slot)) byIndex.set(index, slot);
    return byIndex;
  }
}

type Chains = Map<LogIndex, number | readonly number[]>;

function link(chains: Chains, origin: LogIndex, slot: number): void {
  const present = chains.get(origin);
  const others = present === undefined ? [] : slotsOf(present).filter((other) => other !== slot);
  chains.set(origin, others.length === 0 ? slot : [...others, slot]);
}

function unlink(chains: Chains, origin: LogIndex, slot: number): void {
  const others = slotsOf(chains.get(origin)).filter((other) => other !== slot);
  if (others.length === 0) chains.delete(origin);
  else chains.set(origin, others.length === 1 ? others[0]! : others);
}

function slotsOf(slots: number | readonly number[] | undefined): readonly number[] {
  if (slots === undefined) return [];
  return typeof slots === 'number' ? [slots] : slots;
}

function hasOrigin(records: readonly LiveRecord[], origin: LogIndex): boolean {
  return records.some((record) => record.origin === origin);
}

/** The records of an identity after `replaced` has left and `record` has come, in list order. */
function withRecord(
  before: readonly LiveRecord[],
  replaced: readonly LiveRecord[],
  record: LiveRecord,
): readonly LiveRecord[] {
  if (before.length === replaced.length) return [record];
  const kept = replaced.length === 0 ? before.slice() : before.filter((other) => !replaced.includes(other));
  // Mostly it is the newest.
  const behind = kept.findLastIndex((other) => compareRecords(other, record) < 0);
  kept.splice(behind + 1, 0, record);
  return kept;
}
