import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { EntryType, seededRandom, systemClock } from '@discovery-raft/raft-core';
import { ListWriter, SharedList, type NewAttestation } from '@discovery-raft/raft-log-list';
import { attestationBy, packetOf, schema } from './items.js';
import { differentItems } from './random-items.js';

/** Updates that are under way together. */
const BATCH = 500;

/** A list and its writer over a log that applies at once: what is measured is the list, not Raft. */
export class BenchList {
  readonly list = new SharedList({ schema, sha256: (bytes) => hash('sha256', bytes, 'binary'), crc32 });
  readonly #items: number;
  readonly #packetBytes: number;
  readonly #attestations: readonly NewAttestation[];
  readonly #writer: ListWriter;
  readonly #random = seededRandom(1);
  #index = 0;
  #round = 1;

  private constructor(items: number, packetBytes: number, nodes: number) {
    this.#items = items;
    this.#packetBytes = packetBytes;
    this.#attestations = Array.from({ length: nodes }, (_, node) => attestationBy(node));
    this.#writer = new ListWriter({
      list: this.list,
      clock: systemClock,
      attestationThreshold: 1,
      coalesceMs: 0,
      propose: (data) => {
        const entry = { index: ++this.#index, term: 1, type: EntryType.command, data };
        return Promise.resolve({ index: entry.index, response: this.list.apply(entry, { redact() {} }) });
      },
    });
    this.#writer.takeOver();
  }

  /** A list of more than 500 items, each with a packet of so many bytes, and attested by so many nodes. */
  static async of(items: number, packetBytes: number, nodes = 1): Promise<BenchList> {
    const made = new BenchList(items, packetBytes, nodes);
    for (let item = 0; item < items; item++) await made.#upsert(item);
    return made;
  }

  /** Refreshes one item: inserts a newer packet, and deletes the one that it supersedes. */
  async update(): Promise<void> {
    this.#round++;
    await this.#upsert(Math.floor(this.#random.next() * this.#items));
  }

  /** Refreshes different items at random, a batch of them. @returns how many */
  async updateBatch(): Promise<number> {
    this.#round++;
    await Promise.all(differentItems(this.#random, BATCH, this.#items).map((item) => this.#upsert(item)));
    return BATCH;
  }

  /** Ends the writing; fails unless the list has as many items as it began with. */
  async end(): Promise<void> {
    // What is superseded goes in a turn of its own.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.list.size !== this.#items) throw new Error(`The list has ${this.list.size} records.`);
    this.#writer.stepDown();
  }

  async #upsert(item: number): Promise<void> {
    await this.#writer.upsert(packetOf(item, this.#round, this.#packetBytes), this.#attestations);
  }
}
