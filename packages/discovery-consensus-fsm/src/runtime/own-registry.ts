import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { Steps } from '@discovery-raft/psp-envelope';
import type { ListedItem } from '../policy/listing.js';
import { NOWHERE, placesIn } from '../policy/places-in.js';
import type { ListedRecord } from '../ports.js';
import type { BookEntry } from './book-entry.js';

/** What this node attested of an identity: the newest packet. */
export interface OwnEntry {
  readonly identity: string;
  entry: BookEntry;
  /** Unix seconds. */
  readonly expiration: number;
  /** When this node attested it, in elapsed seconds. */
  readonly attestedAt: number;
  /** Undefined while it is being made, and when it could not be made. */
  signature: DiscoverySignature | undefined;
  /** Told the signature when it is there; undefined from then on. */
  waiting: ((signature: DiscoverySignature | undefined) => void)[] | undefined;
  /** The record that it was found in last. */
  listedIn: ListedRecord | undefined;
}

/** How much of what this node attested may be listed, and how much of that is. */
export interface OwnShare {
  readonly own: number;
  readonly listed: number;
}

/** Which entries are meant by a share. */
export interface ShareQuestion {
  /** For when the listing is, Unix seconds. */
  readonly creation: number;
  /** Elapsed seconds; what was attested later does not count. */
  readonly attestedBy: number;
}

const MIN_ROWS = 256;
const NO_LISTING = { listed: [], rows: new Int32Array(0) };

/**
 * What this node attested, by identity. What decides whether an entry counts lies in columns beside the entries, since a vote
 * counts all of them: it would wait for the memory of each eight times over.
 */
export class OwnRegistry {
  /** An identity keeps its row for as long as it is here. */
  readonly #rows = new Map<string, number>();
  #table = new OwnTable(MIN_ROWS);
  /** The listing that was counted last, and the row of each of its items in the present table. */
  #counted: { readonly listed: readonly ListedItem[]; readonly rows: Int32Array } = NO_LISTING;

  get size(): number {
    return this.#rows.size;
  }

  get(identity: string): OwnEntry | undefined {
    const row = this.#rows.get(identity);
    return row === undefined ? undefined : this.#table.entries[row];
  }

  /** Takes the place of what its identity had; also to be told when the verdict on its packet was forgotten. */
  set(own: OwnEntry): void {
    const row = this.#rows.get(own.identity) ?? this.#newRow(own.identity);
    this.#table.put(row, own);
  }

  delete(identity: string): void {
    const row = this.#rows.get(identity);
    if (row === undefined) return;
    this.#rows.delete(identity);
    this.#table.clear(row);
  }

  /** All of them, as they are when their turn comes, however long that takes; what comes meanwhile may not be among them. */
  *values(): Generator<OwnEntry> {
    const table = this.#table;
    for (let row = 0; row < table.entries.length; row++) {
      const own = table.entries[row];
      if (own === undefined) continue;
      const present = this.#table === table ? own : this.get(own.identity);
      if (present !== undefined) yield present;
    }
  }

  /**
   * Counts in steps. What is listed is counted first: what gives way to a newer packet while the count is interrupted then
   * weighs for the leader and not against it.
   *
   * @param listing in the order of identities, each once
   */
  *share(listing: readonly ListedItem[], question: ShareQuestion, perStep: number): Steps<OwnShare> {
    const table = this.#table;
    const rows = yield* this.#rowsOf(listing, perStep);
    let listed = 0;
    for (let at = 0; at < listing.length; at++) {
      const row = rows[at]!;
      if (row !== NOWHERE && table.isUpTo(row, listing[at]!.expiration) && table.counts(row, question)) listed++;
      if (at % perStep === perStep - 1) yield;
    }
    let own = 0;
    for (let row = 0; row < table.entries.length; row++) {
      if (table.counts(row, question)) own++;
      if (row % perStep === perStep - 1) yield;
    }
    return { own, listed };
  }

  /** The row of each item; mostly as in the listing before. */
  *#rowsOf(listing: readonly ListedItem[], perStep: number): Steps<Int32Array> {
    const { listed, rows: before } = this.#counted;
    const table = this.#table;
    const places = yield* placesIn(listed, listing, perStep);
    const rows = new Int32Array(listing.length);
    for (let at = 0; at < rows.length; at++) {
      const place = places[at]!;
      const known = place === NOWHERE ? NOWHERE : before[place]!;
      const isThere = known !== NOWHERE && table.entries[known] !== undefined;
      rows[at] = isThere ? known : (this.#rows.get(listing[at]!.identity) ?? NOWHERE);
      if (at % perStep === perStep - 1) yield;
    }
    if (this.#table === table) this.#counted = { listed: listing, rows };
    return rows;
  }

  #newRow(identity: string): number {
    if (this.#table.isFull) {
      // Rows of what is gone are not given again while a listing names them, but left behind when the table grows.
      const table = new OwnTable(Math.max(MIN_ROWS, 2 * this.#rows.size));
      for (const [each, row] of this.#rows) {
        const own = this.#table.entries[row]!;
        this.#rows.set(each, table.add(own));
      }
      this.#table = table;
      this.#counted = NO_LISTING;
    }
    const row = this.#table.add(undefined);
    this.#rows.set(identity, row);
    return row;
  }
}

/** Entries, and beside each what decides whether it counts. */
class OwnTable {
  /** By row; undefined for what is gone. */
  readonly entries: (OwnEntry | undefined)[] = [];
  readonly #expirations: Float64Array;
  readonly #attestedAt: Float64Array;
  /** The period of the verdict on its packet; empty as long as there is none. */
  readonly #from: Float64Array;
  readonly #until: Float64Array;

  constructor(rows: number) {
    this.#expirations = new Float64Array(rows);
    this.#attestedAt = new Float64Array(rows);
    this.#from = new Float64Array(rows);
    this.#until = new Float64Array(rows);
  }

  get isFull(): boolean {
    return this.entries.length === this.#expirations.length;
  }

  /** There is room. @returns the row */
  add(own: OwnEntry | undefined): number {
    const row = this.entries.push(undefined) - 1;
    if (own !== undefined) this.put(row, own);
    return row;
  }

  put(row: number, own: OwnEntry): void {
    this.entries[row] = own;
    this.#expirations[row] = own.expiration;
    this.#attestedAt[row] = own.attestedAt;
    this.#readPeriod(row, own);
  }

  clear(row: number): void {
    this.entries[row] = undefined;
    this.#expirations[row] = 0;
  }

  /** Whether a packet that holds until `expiration` is this one, or newer. */
  isUpTo(row: number, expiration: number): boolean {
    return expiration >= this.#expirations[row]!;
  }

  /** Whether it may be listed. An item whose publisher's certificate has run out by then is nobody's omission. */
  counts(row: number, { creation, attestedBy }: ShareQuestion): boolean {
    if (this.#expirations[row]! <= creation || this.#attestedAt[row]! > attestedBy) return false;
    if (this.#isWithin(row, creation)) return true;
    // The verdict may be a later one.
    this.#readPeriod(row, this.entries[row]!);
    return this.#isWithin(row, creation);
  }

  #isWithin(row: number, creation: number): boolean {
    return this.#from[row]! <= creation && creation <= this.#until[row]!;
  }

  #readPeriod(row: number, { entry: { verdict } }: OwnEntry): void {
    const isGood = verdict?.ok === true;
    this.#from[row] = isGood ? verdict.notBefore : Infinity;
    this.#until[row] = isGood ? verdict.notAfter : -Infinity;
  }
}
