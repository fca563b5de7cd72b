import type { Committee } from '../policy/committee.js';
import { buildListing } from '../policy/listing.js';
import type { BuiltListing } from '../policy/listing.js';
import { slotExpiration, slotStart } from '../policy/slots.js';
import type { FrozenList, ListedView } from '../ports.js';
import type { Context } from './context.js';
import type { Deadline } from './deadline.js';
import { LATE, within } from './deadline.js';
import type { RecordBook } from './record-book.js';

/** Frozen lists that are kept: enough for a round and its stragglers, however many markers a bad leader writes. */
const MAX_FROZEN_LISTS = 4;

interface Frozen {
  readonly list: FrozenList;
  listing: Promise<BuiltListing> | undefined;
  /** Whom it was built for; a newer root may have come since. */
  committee: Committee | undefined;
}

/**
 * The list at the latest freeze markers, and the listing that is built from each when somebody asks for it: once, by this
 * node itself, for the creation time that belongs to the marker's round.
 */
export class FrozenLists {
  readonly #context: Context;
  readonly #book: RecordBook;
  readonly #kept: Frozen[] = [];
  readonly #waiters = new Set<() => void>();

  constructor(context: Context, book: RecordBook) {
    this.#context = context;
    this.#book = book;
  }

  /** A marker was applied. */
  add(list: FrozenList): void {
    // Megabytes each, and of no more use once another round has begun; whoever still asks has it built again.
    for (const older of this.#kept) if (older.list.round < list.round) older.listing = undefined;
    this.#kept.push({ list, listing: undefined, committee: undefined });
    if (this.#kept.length > MAX_FROZEN_LISTS) this.#kept.shift();
    for (const wake of [...this.#waiters]) wake();
  }

  /** The list was replaced: what was frozen before is of another history. */
  clear(): void {
    this.#kept.length = 0;
  }

  /**
   * The listing of a round, built from the list at `frozenIndex` (or at the round's last marker).
   *
   * @param deadline for the marker, and for verdicts that are still out
   */
  async listing(
    round: number,
    frozenIndex: number | undefined,
    deadline: Deadline,
  ): Promise<BuiltListing | 'frozenListMissing' | 'verdictsMissing'> {
    const frozen = await this.#wait(round, frozenIndex, deadline);
    if (frozen === undefined) return 'frozenListMissing';
    const listing = await within(deadline, this.#listingOf(frozen));
    return listing === LATE ? 'verdictsMissing' : listing;
  }

  #listingOf(frozen: Frozen): Promise<BuiltListing> {
    const { round, view } = frozen.list;
    const committee = this.#committee(round);
    if (frozen.committee !== committee) frozen.listing = undefined;
    frozen.committee = committee;
    frozen.listing ??= this.#build(round, view);
    return frozen.listing;
  }

  #committee(round: number): Committee {
    return this.#context.committees.at(slotStart(this.#context.config, round));
  }

  /** The listing of a round, built from the list as it is now: for a leader that freezes nothing. */
  listingNow(round: number): Promise<BuiltListing> {
    return this.#build(round, this.#context.ports.list.view());
  }

  async #build(round: number, view: ListedView): Promise<BuiltListing> {
    const { config, policy, ports } = this.#context;
    const creation = slotStart(config, round);
    const header = { version: config.protocolVersion, creation, expiration: slotExpiration(config, round) };
    const { attestationsNeeded } = this.#committee(round);
    const entries = await this.#book.judge(view, creation);
    return buildListing(entries, header, policy, attestationsNeeded, ports.sha256, config.shortListingBytes);
  }

  #find(round: number, frozenIndex: number | undefined): Frozen | undefined {
    return this.#kept.findLast(
      ({ list }) => list.round === round && (frozenIndex === undefined || list.index === frozenIndex),
    );
  }

  #wait(round: number, frozenIndex: number | undefined, deadline: Deadline): Promise<Frozen | undefined> {
    const found = this.#find(round, frozenIndex);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => {
      const settle = (frozen: Frozen | undefined): void => {
        cancel();
        this.#waiters.delete(look);
        resolve(frozen);
      };
      const look = (): void => {
        const frozen = this.#find(round, frozenIndex);
        if (frozen !== undefined) settle(frozen);
      };
      const cancel = deadline.whenOver(() => settle(undefined));
      this.#waiters.add(look);
    });
  }
}
