import { seededRandom } from '@discovery-raft/raft-core';
import { packetOf, schema } from './items.js';
import { differentItems } from './random-items.js';

/** Items that are replaced together, as in `BenchList`. */
const BATCH = 500;

/** A map from names to packets: what a list would be that has neither order nor views nor a log. */
export class PlainMap {
  readonly #values = new Map<string, { readonly expiration: number; readonly packet: Uint8Array }>();
  readonly #random = seededRandom(1);
  readonly #items: number;
  readonly #packetBytes: number;
  #round = 1;

  constructor(items: number, packetBytes: number) {
    this.#items = items;
    this.#packetBytes = packetBytes;
    for (let item = 0; item < items; item++) this.#set(item);
  }

  /** Replaces a batch of different items at random. @returns how many */
  updateBatch(): number {
    this.#round++;
    for (const item of differentItems(this.#random, BATCH, this.#items)) this.#set(item);
    return BATCH;
  }

  #set(item: number): void {
    const packet = packetOf(item, this.#round, this.#packetBytes);
    const { identity, expiration } = schema.describe(packet)!;
    this.#values.set(identity, { expiration, packet });
  }
}
