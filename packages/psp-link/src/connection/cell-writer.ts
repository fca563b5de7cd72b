import { cellBytes, VARIABLE_HEAD_BYTES, writeCellHead } from '../cells/cell.js';
import { Command } from '../cells/command.js';
import type { LinkError } from '../errors.js';
import type { SecureWire } from './secure-wire.js';

/** Which cells go first: those of `main` go before every queued one of `bulk`. */
export type Lane = 'main' | 'bulk';

/** Small cells are put together until they fill a TLS record of the greatest length. */
const RECORD_BYTES = 16_384;

interface Sending {
  readonly circuitId: number;
  readonly pieces: readonly Uint8Array[];
  /** The next piece to be handed over. */
  next: number;
  readonly resolve: () => void;
  readonly reject: (error: LinkError) => void;
  /** Called before either. */
  readonly settled: () => void;
}

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
 * Only a little is handed to the wire at a time, so that what is urgent can still overtake. Where the peer may be a
 * deployed client, every cell is one write, and the next follows when the wire has taken it: writes that wait in Node
 * together become one TLS record, and such a client reads at most two cells of a record.
 */
export class CellWriter {
  /** Several cells a write. Only towards peers that read them: nodes that have authenticated. */
  coalesce = false;
  readonly #wire: SecureWire;
  readonly #listener: CellWriterListener;
  readonly #maxInFlightBytes: number;
  readonly #control = new Fifo<Uint8Array>();
  readonly #lanes: Readonly<Record<Lane, Fifo<Sending>>> = { main: new Fifo(), bulk: new Fifo() };
  /** Sends whose last cell was handed to the wire. */
  readonly #inFlight = new Set<Sending>();
  #controlBytes = 0;
  #inFlightBytes = 0;
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

  /** Sends a whole cell before everything else that waits. */
  control(cell: Uint8Array): void {
    if (this.#closed) return;
    this.#control.push(cell);
    this.#controlBytes += cell.length;
    this.#schedule();
  }

  /** Whether nothing waits and the wire has taken everything. */
  get idle(): boolean {
    const { main, bulk } = this.#lanes;
    const waiting = this.#control.peek() ?? main.peek() ?? bulk.peek();
    return waiting === undefined && this.#inFlightBytes === 0;
  }

  /**
   * Sends pieces as streamRelay cells.
   *
   * @param settled called once, just before the promise settles
   * @returns when the wire has taken the last
   */
  send(lane: Lane, circuitId: number, pieces: readonly Uint8Array[], settled: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#lanes[lane].push({ circuitId, pieces, next: 0, resolve, reject, settled });
      this.#schedule();
    });
  }

  /** Drops what waits of a stream. */
  drop(circuitId: number, error: LinkError): void {
    for (const lane of Object.values(this.#lanes)) {
      for (const sending of lane.remove((item) => item.circuitId !== circuitId)) fail(sending, error);
    }
  }

  /** Nothing more is sent. What waits is rejected; so is what the wire has not taken. */
  close(error: LinkError): void {
    this.#closed = true;
    this.#control.clear();
    for (const lane of Object.values(this.#lanes)) {
      for (const sending of lane.remove(() => false)) fail(sending, error);
    }
    for (const sending of this.#inFlight) fail(sending, error);
    this.#inFlight.clear();
  }

  /** In a microtask: what is sent in one go is put together. */
  #schedule(): void {
    if (this.#scheduled || (this.#inFlightBytes > 0 && !this.coalesce)) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (!this.#closed && this.#inFlightBytes < this.#maxInFlightBytes) {
      if (this.#inFlightBytes > 0 && !this.coalesce) return;
      const batch = new Batch(this.coalesce ? RECORD_BYTES : 1);
      this.#fill(batch);
      if (batch.cells === 0) return;
      this.#handOver(batch);
    }
  }

  #fill(batch: Batch): void {
    for (let cell = this.#control.peek(); cell !== undefined; cell = this.#control.peek()) {
      if (!batch.takesControl(cell)) return;
      this.#control.shift();
      this.#controlBytes -= cell.length;
    }
    if (!this.#fillFrom(this.#lanes.main, batch)) return;
    this.#fillFrom(this.#lanes.bulk, batch);
  }

  /** Returns false when the batch is full. */
  #fillFrom(lane: Fifo<Sending>, batch: Batch): boolean {
    for (let sending = lane.peek(); sending !== undefined; sending = lane.peek()) {
      while (sending.next < sending.pieces.length) {
        if (!batch.takesPiece(sending.circuitId, sending.pieces[sending.next]!)) return false;
        sending.next++;
      }
      lane.shift();
      batch.finished.push(sending);
    }
    return true;
  }

  #handOver(batch: Batch): void {
    const bytes = batch.encode();
    const { finished } = batch;
    this.#inFlightBytes += bytes.length;
    for (const sending of finished) this.#inFlight.add(sending);
    this.#listener.written(bytes.length, batch.cells);
    this.#wire.write(bytes, () => {
      if (this.#closed) return;
      this.#inFlightBytes -= bytes.length;
      for (const sending of finished) {
        this.#inFlight.delete(sending);
        sending.settled();
        sending.resolve();
      }
      this.#listener.progressed();
      this.#pump();
    });
  }
}

function fail(sending: Sending, error: LinkError): void {
  sending.settled();
  sending.reject(error);
}

/** Cells of one write. */
class Batch {
  readonly finished: Sending[] = [];
  readonly #maxBytes: number;
  #bytes = 0;
  readonly #parts: { readonly circuitId: number; readonly payload: Uint8Array }[] = [];
  #control: Uint8Array[] = [];

  /** @param maxBytes the first cell is taken whatever its length */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get cells(): number {
    return this.#control.length + this.#parts.length;
  }

  takesControl(cell: Uint8Array): boolean {
    if (!this.#takes(cell.length)) return false;
    this.#control.push(cell);
    return true;
  }

  takesPiece(circuitId: number, payload: Uint8Array): boolean {
    if (!this.#takes(cellBytes(Command.streamRelay, payload.length))) return false;
    this.#parts.push({ circuitId, payload });
    return true;
  }

  #takes(bytes: number): boolean {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  encode(): Uint8Array {
    const target = Buffer.allocUnsafeSlow(this.#bytes);
    let at = 0;
    for (const cell of this.#control) {
      target.set(cell, at);
      at += cell.length;
    }
    for (const { circuitId, payload } of this.#parts) {
      writeCellHead(target, at, circuitId, Command.streamRelay, payload.length);
      target.set(payload, at + VARIABLE_HEAD_BYTES);
      at += VARIABLE_HEAD_BYTES + payload.length;
    }
    return target;
  }
}
