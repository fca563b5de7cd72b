import { LinkError } from '../errors.js';
import { FIXED_HEAD_BYTES, VARIABLE_HEAD_BYTES, type Cell } from './cell.js';
import { FIXED_PAYLOAD_BYTES, isFixed, MAX_PAYLOAD_BYTES } from './command.js';
import { unclearedBytes } from './uncleared-bytes.js';

/** Room for the bytes that say how long a cell is. */
const HEAD_ROOM_BYTES = VARIABLE_HEAD_BYTES;

/**
 * Finds cells in a stream of bytes that is cut anyhow.
 *
 * A length over the limit is refused when its two bytes are there, before memory is taken for it: one cell at most, and
 * untouched pages until bytes arrive.
 *
 * A payload is a view, good until the next call: of the chunk, or of a buffer that every cell across chunks shares. Memory
 * for each would be most of the cost of receiving, as it makes the engine collect garbage.
 */
export class CellReader {
  /** Longest payload of a variable cell that is taken, in bytes. May be changed between cells. */
  maxPayloadBytes: number;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #partial = new Uint8Array(0);
  #filled = 0;

  constructor(maxPayloadBytes = MAX_PAYLOAD_BYTES) {
    this.maxPayloadBytes = maxPayloadBytes;
  }

  /** Whether the bytes so far end inside a cell. Sure only when {@link CellReader.next} has returned null. */
  get insideCell(): boolean {
    return this.#filled > 0;
  }

  /** Gives the buffer back, unless it is in use: it is made again when it is needed. */
  release(): void {
    if (this.#filled === 0) this.#partial = new Uint8Array(0);
  }

  /**
   * Gives bytes to read; they must not be written to until `next` has returned null, or {@link CellReader.keep} was called.
   * Call it only when `next` has returned null.
   */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Copies what was not read yet: the bytes that were given may be written to from now on. */
  keep(): void {
    this.#chunk = this.#chunk.slice(this.#at);
    this.#at = 0;
  }

  /**
   * The next whole cell, or null when there is none.
   *
   * @throws LinkError LINK_TOO_LARGE; nothing can be read after that
   */
  next(): Cell | null {
    if (this.#filled > 0) return this.#finishPartial();
    const total = this.#lengthAt(this.#chunk, this.#at, this.#chunk.length - this.#at);
    if (total === 0 || this.#at + total > this.#chunk.length) {
      this.#fill(this.#chunk.length - this.#at, total);
      return null;
    }
    const cell = cellAt(this.#chunk, this.#at, total);
    this.#at += total;
    return cell;
  }

  /** Total length of the cell that begins there, or 0 when the bytes that say so are not all there. */
  #lengthAt(bytes: Uint8Array, at: number, available: number): number {
    if (available < FIXED_HEAD_BYTES) return 0;
    if (isFixed(bytes[at + 4]!)) return FIXED_HEAD_BYTES + FIXED_PAYLOAD_BYTES;
    if (available < VARIABLE_HEAD_BYTES) return 0;
    const payloadBytes = (bytes[at + 5]! << 8) | bytes[at + 6]!;
    if (payloadBytes > this.maxPayloadBytes) {
      throw new LinkError('LINK_TOO_LARGE', 'a cell is longer than it may be here', {
        command: bytes[at + 4],
        found: payloadBytes,
        limit: this.maxPayloadBytes,
      });
    }
    return VARIABLE_HEAD_BYTES + payloadBytes;
  }

  #finishPartial(): Cell | null {
    for (;;) {
      const total = this.#lengthAt(this.#partial, 0, this.#filled);
      if (total > 0 && this.#filled === total) {
        const cell = cellAt(this.#partial, 0, total);
        this.#filled = 0;
        return cell;
      }
      const available = this.#chunk.length - this.#at;
      if (available === 0) return null;
      this.#fill(Math.min(this.#missing(total), available), total);
    }
  }

  /** Bytes until the next thing can be known: the command, the length, the end. */
  #missing(total: number): number {
    if (total > 0) return total - this.#filled;
    return (this.#filled < FIXED_HEAD_BYTES ? FIXED_HEAD_BYTES : VARIABLE_HEAD_BYTES) - this.#filled;
  }

  #fill(count: number, total: number): void {
    const needed = this.#filled + count;
    if (needed > this.#partial.length) {
      const grown = unclearedBytes(total > 0 ? total : HEAD_ROOM_BYTES);
      grown.set(this.#partial.subarray(0, this.#filled));
      this.#partial = grown;
    }
    this.#partial.set(this.#chunk.subarray(this.#at, this.#at + count), this.#filled);
    this.#filled = needed;
    this.#at += count;
  }
}

function cellAt(bytes: Uint8Array, at: number, total: number): Cell {
  const command = bytes[at + 4]!;
  const circuitId = ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  const head = isFixed(command) ? FIXED_HEAD_BYTES : VARIABLE_HEAD_BYTES;
  return { circuitId, command, payload: bytes.subarray(at + head, at + total) };
}
