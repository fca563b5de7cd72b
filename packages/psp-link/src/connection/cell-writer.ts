import { VARIABLE_HEAD_BYTES, writeCellHead } from '../cells/cell.js';
import { unclearedBytes } from '../cells/uncleared-bytes.js';
import { Command } from '../cells/command.js';
import type { LinkError } from '../errors.js';
import type { SecureWire } from './secure-wire.js';

/** Which cells go first: those of `main` go before every queued one of `bulk`. */
export type Lane = 'main' | 'bulk';

/** A buffer of at most so many bytes is kept while nothing is to be sent. */
const KEPT_BYTES = 4096;

/**
 * The last large buffer that a writer gave up: the next that needs one takes it. Few connections send much in the same
 * moment, and a new one for each message is what makes the engine collect garbage.
 */
let spareBuffer = new Uint8Array(0);

interface Sending {
  readonly circuitId: number;
  readonly pieces: readonly Uint8Array[];
  /** The next piece to be handed over. */
  next: number;
  readonly done: Done;
}

/** Told once what became of what was sent: null when the wire has taken it over. Must not throw. */
export type Done = (error: LinkError | null) => void;

/** A queue without the cost of shifting arrays. */
class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): void {
    this.#head++;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head > 1024 && 2 * this.#head > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Takes out what does not pass, and returns it. */
  remove(isWanted: (item: T) => boolean): readonly T[] {
    const removed = this.#items.slice(this.#head).filter((item) => !isWanted(item));
    this.#items = this.#items.slice(this.#head).filter(isWanted);
    this.#head = 0;
    return removed;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}

/** A buffer of at least so many bytes, holding anything. */
function takeBuffer(least: number, wanted: number): Uint8Array<ArrayBuffer> {
  if (spareBuffer.length < least) return unclearedBytes(wanted);
  const taken = spareBuffer;
  spareBuffer = new Uint8Array(0);
  return taken;
}

/** What a writer tells its connection. */
export interface CellWriterListener {
  /** Bytes and cells were handed to the wire. */
  written(bytes: number, cells: number): void;
  /** The wire took something over; nothing may be left. */
  progressed(): void;
}

/**
 * Sends cells: those of the connection and of the control of streams first, then streams by their lane, each in order.
 *
 * One write is under way at a time, and no more than a little, so that what is urgent can still overtake. Where the peer
 * may be a deployed client, a write is one cell: such a client reads at most two cells of a TLS record, and writes that
 * wait in Node together would become one record. Towards others a write holds many cells, and TLS cuts it into records.
 */
export class CellWriter {
  /** Several cells a write. Only towards peers that read them: nodes that have authenticated, and clients of ours. */
  coalesce = false;
  readonly #wire: SecureWire;
  readonly #listener: CellWriterListener;
  readonly #maxInFlightBytes: number;
  readonly #control = new Fifo<Uint8Array>();
  readonly #lanes: Readonly<Record<Lane, Fifo<Sending>>> = { main: new Fifo(), bulk: new Fifo() };
  #controlBytes = 0;
  /** The write that is under way; used again for the next. */
  #buffer = new Uint8Array(0);
  #inFlightBytes = 0;
  /** What the write under way completes. */
  #finishing: Sending[] = [];
  #scheduled = false;
  #closed = false;

  constructor(wire: SecureWire, maxInFlightBytes: number, listener: CellWriterListener) {
    this.#wire = wire;
    this.#maxInFlightBytes = maxInFlightBytes;
    this.#listener = listener;
  }

  /** Bytes of control cells that wait. Their number follows from what the peer sends. */
  get controlBytes(): number {
    return this.#controlBytes;
  }

  /** Bytes that the wire has not taken yet. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** Whether nothing waits and the wire has taken everything. */
  get idle(): boolean {
    return this.#inFlightBytes === 0 && !this.#waiting;
  }

  /** Sends a whole cell before everything else that waits. */
  control(cell: Uint8Array): void {
    if (this.#closed) return;
    this.#control.push(cell);
    this.#controlBytes += cell.length;
    this.#schedule();
  }

  /** Sends pieces as streamRelay cells. */
  send(lane: Lane, circuitId: number, pieces: readonly Uint8Array[], done: Done): void {
    this.#lanes[lane].push({ circuitId, pieces, next: 0, done });
    this.#schedule();
  }

  /** Drops what waits of a stream. */
  drop(circuitId: number, error: LinkError): void {
    for (const lane of Object.values(this.#lanes)) {
      for (const sending of lane.remove((item) => item.circuitId !== circuitId)) sending.done(error);
    }
  }

  /** Nothing more is sent. What waits is rejected; so is what the wire has not taken. */
  close(error: LinkError): void {
    this.#closed = true;
    this.#control.clear();
    this.#buffer = new Uint8Array(0);
    for (const sending of this.#finishing.splice(0)) sending.done(error);
    for (const lane of Object.values(this.#lanes)) {
      for (const sending of lane.remove(() => false)) sending.done(error);
    }
  }

  get #waiting(): boolean {
    const { main, bulk } = this.#lanes;
    return this.#control.peek() !== undefined || main.peek() !== undefined || bulk.peek() !== undefined;
  }

  /** In a microtask: what is sent in one go is put together. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlightBytes > 0) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#closed || this.#inFlightBytes > 0) return;
    const batch = new Batch(this.#buffer, this.coalesce ? this.#maxInFlightBytes : 0);
    this.#fill(batch);
    if (batch.cells === 0) {
      if (this.#buffer.length > KEPT_BYTES) {
        spareBuffer = this.#buffer;
        this.#buffer = new Uint8Array(0);
      }
      return;
    }
    this.#buffer = batch.buffer;
    this.#inFlightBytes = batch.bytes;
    this.#listener.written(batch.bytes, batch.cells);
    this.#wire.write(batch.buffer.subarray(0, batch.bytes), () => this.#taken());
  }

  #fill(batch: Batch): void {
    for (let cell = this.#control.peek(); cell !== undefined; cell = this.#control.peek()) {
      if (!batch.addCell(cell)) return;
      this.#control.shift();
      this.#controlBytes -= cell.length;
    }
    if (this.#fillFrom(this.#lanes.main, batch)) this.#fillFrom(this.#lanes.bulk, batch);
  }

  /** Returns false when the batch is full. */
  #fillFrom(lane: Fifo<Sending>, batch: Batch): boolean {
    for (let sending = lane.peek(); sending !== undefined; sending = lane.peek()) {
      while (sending.next < sending.pieces.length) {
        if (!batch.addPiece(sending.circuitId, sending.pieces[sending.next]!)) return false;
        sending.next++;
      }
      lane.shift();
      this.#finishing.push(sending);
    }
    return true;
  }

  #taken(): void {
    if (this.#closed) return;
    this.#inFlightBytes = 0;
    const finished = this.#finishing;
    this.#finishing = [];
    for (const sending of finished) sending.done(null);
    this.#pump();
    this.#listener.progressed();
  }
}

/** Cells of one write, in a buffer that grows when it must. */
class Batch {
  buffer: Uint8Array<ArrayBuffer>;
  bytes = 0;
  cells = 0;
  readonly #maxBytes: number;

  /** @param maxBytes the first cell is taken whatever its length */
  constructor(buffer: Uint8Array<ArrayBuffer>, maxBytes: number) {
    this.buffer = buffer;
    this.#maxBytes = maxBytes;
  }

  addCell(cell: Uint8Array): boolean {
    if (!this.#reserve(cell.length)) return false;
    this.buffer.set(cell, this.bytes);
    this.bytes += cell.length;
    return true;
  }

  addPiece(circuitId: number, payload: Uint8Array): boolean {
    if (!this.#reserve(VARIABLE_HEAD_BYTES + payload.length)) return false;
    const at = writeCellHead(this.buffer, this.bytes, circuitId, Command.streamRelay, payload.length);
    this.buffer.set(payload, at);
    this.bytes = at + payload.length;
    return true;
  }

  #reserve(more: number): boolean {
    const needed = this.bytes + more;
    if (this.cells > 0 && needed > this.#maxBytes) return false;
    this.cells++;
    if (needed > this.buffer.length) {
      const grown = takeBuffer(needed, Math.max(needed, Math.min(2 * needed, this.#maxBytes)));
      grown.set(this.buffer.subarray(0, this.bytes));
      this.buffer = grown;
    }
    return true;
  }
}
