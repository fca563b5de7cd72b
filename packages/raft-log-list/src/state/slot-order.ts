import { IdentityOrder } from './record-order.js';

/** Identities in order, and the slot of each. Never written to. */
export interface SortedSlots {
  readonly identities: readonly string[];
  readonly slots: Uint32Array;
}

/** An identity got a slot, or has none any more. */
interface Change {
  readonly identity: string;
  /** {@link NO_SLOT} for none. */
  readonly slot: number;
}

/** What was sorted, and what came and went since, the oldest first. Changes are only ever added. */
interface Journal {
  readonly sorted: SortedSlots;
  readonly changes: Change[];
}

const NO_SLOT = -1;
const NOTHING: SortedSlots = { identities: [], slots: new Uint32Array(0) };

/** Changes that are sorted in before anybody asks: so many, or this share of all identities; a few milliseconds' work. */
const MIN_CHANGES = 4096;
const SHARE_OF_CHANGES = 1 / 64;
/** The same while nobody has asked, as when a list is filled: one sort of all takes a fraction of many, and memory is the bound. */
const MIN_UNASKED_CHANGES = 1 << 18;

/**
 * The identities of a list in their order, of which nobody knows until a view is walked over: what comes and goes is noted, and
 * sorted in when somebody asks, or when there is much of it. So an identity costs its share of one sort of thousands, in
 * place of a search in a tree of all of them; and while none comes or goes, one order serves any number of views.
 */
export class SlotOrder {
  readonly #order = new IdentityOrder();
  #journal: Journal = { sorted: NOTHING, changes: [] };
  #frozen: FrozenOrder | undefined;
  #wasAsked = false;

  /** An identity that had no slot has this one now. */
  open(identity: string, slot: number): void {
    this.#order.admit(identity);
    this.#note({ identity, slot });
  }

  /** An identity has its slot no more. */
  close(identity: string): void {
    this.#note({ identity, slot: NO_SLOT });
  }

  /** The order as it is now, for good; O(1). */
  freeze(): FrozenOrder {
    if (this.#frozen === undefined) {
      const journal = this.#journal;
      const { length } = journal.changes;
      const sort = (): SortedSlots => {
        this.#wasAsked ||= length > 0;
        return this.#sortedAt(journal, length);
      };
      this.#frozen = new FrozenOrder(sort, this.#order.compare);
    }
    return this.#frozen;
  }

  #note(change: Change): void {
    const { sorted, changes } = this.#journal;
    changes.push(change);
    this.#frozen = undefined;
    const { length } = sorted.slots;
    const much = this.#wasAsked
      ? Math.max(MIN_CHANGES, length * SHARE_OF_CHANGES)
      : Math.max(MIN_UNASKED_CHANGES, length);
    if (changes.length >= much) this.#sortedAt(this.#journal, changes.length);
  }

  /** A journal with its first changes sorted in. If it is still the present one, the next to ask has only the rest to do. */
  #sortedAt(journal: Journal, length: number): SortedSlots {
    if (length === 0) return journal.sorted;
    const sorted = merge(journal.sorted, journal.changes.slice(0, length), this.#order.compare);
    if (this.#journal === journal) this.#journal = { sorted, changes: journal.changes.slice(length) };
    return sorted;
  }
}

/** What a {@link SlotOrder} was when it was frozen. */
export class FrozenOrder {
  readonly #compare: (a: string, b: string) => number;
  #sort: (() => SortedSlots) | undefined;
  #sorted: SortedSlots = NOTHING;

  /** @param sort asked once, when the order is first needed */
  constructor(sort: () => SortedSlots, compare: (a: string, b: string) => number) {
    this.#sort = sort;
    this.#compare = compare;
  }

  /** O(identities) the first time, if any came or went; see {@link SlotOrder}. */
  get sorted(): SortedSlots {
    if (this.#sort !== undefined) {
      this.#sorted = this.#sort();
      this.#sort = undefined;
    }
    return this.#sorted;
  }

  /** The slot of an identity, undefined when it has none; O(log identities) once they are sorted. */
  slotOf(identity: string): number | undefined {
    const { identities, slots } = this.sorted;
    const at = lowerBound(identities, identity, 0, this.#compare);
    return identities[at] === identity ? slots[at] : undefined;
  }
}

/** Puts changes into what is sorted: one sort of the changes, and one copy of the rest in runs. */
function merge(
  { identities, slots }: SortedSlots,
  changes: readonly Change[],
  compare: (a: string, b: string) => number,
): SortedSlots {
  // Of one identity the changes stay in their order, and the last of them counts.
  const sorted = changes.toSorted((a, b) => compare(a.identity, b.identity));
  const merged: string[] = [];
  const mergedSlots = new Uint32Array(slots.length + changes.length);
  let from = 0;
  const copyUpTo = (end: number): void => {
    mergedSlots.set(slots.subarray(from, end), merged.length);
    for (; from < end; from++) merged.push(identities[from]!);
  };
  for (const [i, { identity, slot }] of sorted.entries()) {
    if (sorted[i + 1]?.identity === identity) continue;
    copyUpTo(lowerBound(identities, identity, from, compare));
    if (identities[from] === identity) from++;
    if (slot !== NO_SLOT) mergedSlots[merged.push(identity) - 1] = slot;
  }
  copyUpTo(identities.length);
  return { identities: merged, slots: mergedSlots.subarray(0, merged.length) };
}

/** The first place from `from` on that does not come before `identity`. */
function lowerBound(
  identities: readonly string[],
  identity: string,
  from: number,
  compare: (a: string, b: string) => number,
): number {
  let low = from;
  let high = identities.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(identities[middle]!, identity) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
