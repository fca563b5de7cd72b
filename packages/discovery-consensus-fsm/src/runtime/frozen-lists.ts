import { rootClaimOf, type Committee } from '../policy/committee.js';
import { buildListingSteps } from '../policy/listing.js';
import type { NotReadyReason } from '../policy/judgement.js';
import type { BuiltListing, ListingMemory } from '../policy/listing.js';
import { slotExpiration, slotStart } from '../policy/slots.js';
import type { FrozenList, ListedView } from '../ports.js';
import type { Context } from './context.js';
import type { Deadline } from './deadline.js';
import { LATE, within } from './deadline.js';
import type { RecordBook } from './record-book.js';
import { DROPPED, inSlices } from './slices.js';

/** Frozen lists that are kept: enough for a round and its stragglers, however many markers a bad leader writes. */
const MAX_FROZEN_LISTS = 4;

/** A listing that is being built, or is there. */
interface Building {
  readonly listing: Promise<BuiltListing | NotReadyReason>;
  /** Whom it is built for; a newer root may have come since. */
  readonly committee: Committee;
  /** Nobody wants it any more. */
  dropped: boolean;
}

interface Frozen {
  readonly list: FrozenList;
  building: Building | undefined;
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
  /** Of the last listing that was built: that of the directory in force, mostly. */
  #previous: ListingMemory | undefined;

  constructor(context: Context, book: RecordBook) {
    this.#context = context;
    this.#book = book;
  }

  /** What is kept of the last listing that was built. */
  get previous(): ListingMemory | undefined {
    return this.#previous;
  }

  /** A marker was applied. */
  add(list: FrozenList): void {
    // Megabytes each, and of no more use once another round has begun; whoever still asks has it built again.
    for (const older of this.#kept) if (older.list.round < list.round) forget(older);
    this.#kept.push({ list, building: undefined });
    if (this.#kept.length > MAX_FROZEN_LISTS) forget(this.#kept.shift());
    for (const wake of [...this.#waiters]) wake();
  }

  /** The list was replaced: what was frozen before is of another history. */
  clear(): void {
    for (const frozen of this.#kept.splice(0)) forget(frozen);
  }

  /** A round is over here, or this node stops: what is still being built for it is dropped at its next pause. */
  drop(round: number): void {
    for (const frozen of this.#kept) if (frozen.list.round === round) forget(frozen);
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
  ): Promise<BuiltListing | NotReadyReason> {
    const frozen = await this.#wait(round, frozenIndex, deadline);
    if (frozen === undefined) return 'frozenListMissing';
    const listing = await within(deadline, this.#listingOf(frozen));
    return listing === LATE ? 'verdictsMissing' : listing;
  }

  #listingOf(frozen: Frozen): Promise<BuiltListing | NotReadyReason> {
    const { round, view } = frozen.list;
    const committee = this.#committee(round);
    if (frozen.building?.committee !== committee) forget(frozen);
    frozen.building ??= this.#begin(round, view, committee);
    return frozen.building.listing;
  }

  #committee(round: number): Committee {
    return this.#context.committees.at(slotStart(this.#context.config, round));
  }

  /** The listing of a round, built from the list as it is now: for a leader that freezes nothing. */
  listingNow(round: number): Promise<BuiltListing | NotReadyReason> {
    return this.#build(round, this.#context.ports.list.view(), () => false);
  }

  #begin(round: number, view: ListedView, committee: Committee): Building {
    const isDropped = (): boolean => building.dropped;
    const building: Building = { listing: this.#build(round, view, isDropped), committee, dropped: false };
    return building;
  }

  async #build(round: number, view: ListedView, isDropped: () => boolean): Promise<BuiltListing | NotReadyReason> {
    const { config, policy, ports } = this.#context;
    const creation = slotStart(config, round);
    const committee = this.#committee(round);
    const { attestationsNeeded } = committee;
    const dates = { creation, expiration: slotExpiration(config, round) };
    const header = { version: config.protocolVersion, ...dates, ...rootClaimOf(committee) };
    const entries = await this.#book.judge(view, creation);
    const { shortListingBytes, recordsPerSlice: entriesPerStep } = config;
    const sizes = { shortListingBytes, entriesPerStep };
    const { sha256, allocate } = ports;
    const made = { sha256, allocate, previous: this.#previous };
    const input = { entries, header, policy, attestationsNeeded, ...made, ...sizes };
    const built = await inSlices(this.#context, buildListingSteps(input), isDropped);
    if (built === DROPPED) return 'roundDropped';
    this.#previous = built.memory;
    return built;
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

/** Its listing is of no more use; should somebody ask after all, it is built again. */
function forget(frozen: Frozen | undefined): void {
  if (frozen?.building === undefined) return;
  frozen.building.dropped = true;
  frozen.building = undefined;
}
