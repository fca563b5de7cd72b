import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryListingSchema } from '@discovery-raft/protocol';
import type { Plan, PlannedItem } from './plan.js';

/** An item as its relay encodes it. */
export interface EncodedItem {
  readonly identity: string;
  readonly bytes: Uint8Array;
}

/** A directory holds for so many slots. */
const LIFETIME_SLOTS = 3;

/**
 * What each round's listing must be, byte for byte, computed from the plan alone: of every relay the newest item that it has
 * published and that holds, sorted by the bytes of its identity. Nothing of a node, its list or its consensus goes into it.
 */
export class Reference {
  readonly #plan: Plan;
  readonly #trial: PlannedItem;
  readonly #encode: (item: PlannedItem) => EncodedItem;
  readonly #encoded = new Map<PlannedItem, EncodedItem>();
  readonly #version: string;

  /**
   * @param trial published right after the first round
   * @param encode what the relay makes of a planned item
   */
  constructor(plan: Plan, trial: PlannedItem, encode: (item: PlannedItem) => EncodedItem, version: string) {
    this.#plan = plan;
    this.#trial = trial;
    this.#encode = encode;
    this.#version = version;
  }

  /** The bytes of a round's `DiscoveryListing`. @param round its place in the plan */
  listingOf(round: number): Uint8Array {
    const { rounds, slotSeconds } = this.#plan;
    const creation = rounds[round]!.at;
    const published = rounds.slice(0, round + 1).flatMap(({ items }) => items);
    if (round > 0) published.push(this.#trial);
    const newest = new Map<string, PlannedItem>();
    for (const item of published) {
      const known = newest.get(item.relay.fingerprint);
      const holds = item.expiration > creation;
      if (holds && (known === undefined || known.expiration < item.expiration))
        newest.set(item.relay.fingerprint, item);
    }
    const items = [...newest.values()].map((item) => this.#itemOf(item));
    items.sort((a, b) => Buffer.compare(Buffer.from(a.identity), Buffer.from(b.identity)));
    const listing = create(DiscoveryListingSchema, {
      version: this.#version,
      creation: BigInt(creation),
      expiration: BigInt(creation + LIFETIME_SLOTS * slotSeconds),
      items: items.map(({ bytes }) => bytes),
    });
    return toBinary(DiscoveryListingSchema, listing);
  }

  #itemOf(item: PlannedItem): EncodedItem {
    const known = this.#encoded.get(item) ?? this.#encode(item);
    this.#encoded.set(item, known);
    return known;
  }
}
