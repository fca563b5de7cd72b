import { EnvelopeError, requireAtMost } from '../errors.js';
import { DEFAULT_LIMITS, type EnvelopeLimits } from '../limits.js';
import { eventNameOf, maxBodyBytes } from './events.js';
import { CELL_PAYLOAD_BYTES, HEAD_BYTES, LENGTH_BYTES } from './segment.js';

/**
 * What the pieces are.
 *
 * - `cells`: payloads of stream cells, cut by the rules of WIRE.md, section 2. A short middle cell and bytes past the
 *   declared length are refused.
 * - `stream`: the same bytes cut anyhow, as a byte stream delivers them; messages follow one another without a gap.
 */
export type Framing = 'cells' | 'stream';

/** Largest block that a message is gathered in. */
const MAX_BLOCK_BYTES = 1 << 20;

/**
 * Puts application messages together again.
 *
 * A length over the limit is refused when its bytes arrive; for a known event, the limit is that event's own. Memory
 * grows with what has arrived, not with what was announced: at most twice the bytes received of one message.
 * After an error the stream is lost: every further call throws the same error.
 */
export class Reassembler {
  readonly #limits: EnvelopeLimits;
  readonly #framing: Framing;
  /** The first half of the current message, block by block. */
  #blocks: Uint8Array[] = [new Uint8Array(HEAD_BYTES)];
  /** Bytes in the last block. */
  #blockFilled = 0;
  /** The current message without its length: once half of it has come, or at once in memory that was given back. */
  #whole: Uint8Array | undefined;
  /** Bytes of the current message, the length among them. */
  #filled = 0;
  /** Total length of the current message; 0 while its length bytes are not all there. */
  #total = 0;
  /** Memory of a message that was given back. */
  #spare: Uint8Array | undefined;
  #failed: EnvelopeError | undefined;

  constructor(limits: EnvelopeLimits = DEFAULT_LIMITS, framing: Framing = 'cells') {
    this.#limits = limits;
    this.#framing = framing;
  }

  /** Bytes of a message that is not complete yet. */
  get bufferedBytes(): number {
    return this.#filled;
  }

  /**
   * Takes the next piece. It is copied: the caller may reuse its bytes.
   *
   * @returns the messages that it completes, without their length; the caller's own
   * @throws EnvelopeError ENVELOPE_BAD_FRAMING, ENVELOPE_TOO_LARGE, ENVELOPE_TRUNCATED
   */
  push(piece: Uint8Array): Uint8Array[] {
    if (this.#failed !== undefined) throw this.#failed;
    try {
      return this.#framing === 'cells' ? this.#pushCell(piece) : this.#pushStream(piece);
    } catch (error) {
      if (error instanceof EnvelopeError) {
        this.#failed = error;
        this.#begin();
      }
      throw error;
    }
  }

  /**
   * Gives a message back that {@link Reassembler.push} returned, of which nobody keeps a window: the next one that fits is
   * gathered in its memory. A stream of large messages then needs the memory of one, and no garbage is collected for it.
   *
   * @param message all of it, or any window of it
   */
  reuse(message: Uint8Array): void {
    if (message.buffer.byteLength > (this.#spare?.length ?? 0)) this.#spare = new Uint8Array(message.buffer);
  }

  #pushCell(piece: Uint8Array): Uint8Array[] {
    if (piece.length > CELL_PAYLOAD_BYTES) throw badFraming('a cell is longer than 65,535 bytes', piece.length);
    if (this.#filled === 0) {
      if (piece.length < LENGTH_BYTES) {
        throw new EnvelopeError('ENVELOPE_TRUNCATED', 'the first cell ends inside the length', { found: piece.length });
      }
      if (this.#isWholeMessage(piece)) return [new Uint8Array(piece.subarray(LENGTH_BYTES))];
    }
    const taken = this.#fill(piece, 0);
    if (taken < piece.length) throw badFraming('bytes follow the declared length', piece.length - taken);
    if (this.#filled < this.#total) {
      if (piece.length < CELL_PAYLOAD_BYTES) throw badFraming('a cell before the last is not full', piece.length);
      return [];
    }
    return [this.#finish()];
  }

  /** Whether a cell holds exactly one message that may come in, as most do: such a one needs no buffer. */
  #isWholeMessage(piece: Uint8Array): boolean {
    if (piece.length < HEAD_BYTES || piece.length > this.#limits.maxMessageBytes) return false;
    const head = new DataView(piece.buffer, piece.byteOffset, HEAD_BYTES);
    if (head.getUint32(0) !== piece.length) return false;
    const event = eventNameOf(head.getUint16(LENGTH_BYTES));
    return event === undefined || piece.length - HEAD_BYTES <= maxBodyBytes(event, this.#limits);
  }

  #pushStream(piece: Uint8Array): Uint8Array[] {
    const messages: Uint8Array[] = [];
    let at = 0;
    while (at < piece.length) {
      at += this.#fill(piece, at);
      if (this.#total > 0 && this.#filled === this.#total) messages.push(this.#finish());
    }
    return messages;
  }

  /** Takes what belongs to the current message, judging its head as soon as that is there. Returns the bytes taken. */
  #fill(piece: Uint8Array, from: number): number {
    let at = from;
    while (at < piece.length && (this.#total === 0 || this.#filled < this.#total)) {
      const goal = this.#nextGoal();
      const count = Math.min(goal - this.#filled, piece.length - at);
      this.#append(piece.subarray(at, at + count));
      at += count;
      if (this.#filled === LENGTH_BYTES) this.#readLength();
      if (this.#filled === HEAD_BYTES && this.#filled <= this.#total) this.#judgeEvent();
    }
    return at - from;
  }

  #nextGoal(): number {
    if (this.#filled < LENGTH_BYTES) return LENGTH_BYTES;
    return this.#filled < HEAD_BYTES ? Math.min(HEAD_BYTES, this.#total) : this.#total;
  }

  #readLength(): void {
    const total = new DataView(this.#blocks[0]!.buffer).getUint32(0);
    if (total <= LENGTH_BYTES) throw badFraming('the declared length leaves no message', total);
    requireAtMost('message', total, this.#limits.maxMessageBytes);
    this.#total = total;
    const bytes = total - LENGTH_BYTES;
    if (this.#spare === undefined || this.#spare.length < bytes) return;
    this.#whole = this.#spare.subarray(0, bytes);
    this.#spare = undefined;
  }

  #judgeEvent(): void {
    const id = this.#whole ?? this.#blocks[0]!.subarray(LENGTH_BYTES);
    const event = eventNameOf(id[0]! * 256 + id[1]!);
    if (event !== undefined) requireAtMost(event, this.#total - HEAD_BYTES, maxBodyBytes(event, this.#limits));
  }

  #append(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && this.#whole === undefined) {
      const block = this.#blocks.at(-1)!;
      const count = Math.min(bytes.length - at, block.length - this.#blockFilled);
      block.set(bytes.subarray(at, at + count), this.#blockFilled);
      this.#blockFilled += count;
      this.#filled += count;
      at += count;
      if (at < bytes.length) this.#grow(bytes.length - at);
    }
    if (this.#whole === undefined) return;
    this.#whole.set(at === 0 ? bytes : bytes.subarray(at), this.#filled - LENGTH_BYTES);
    this.#filled += bytes.length - at;
  }

  /** Room for `more` bytes: the message's own, once half of it is there; until then a block as large as all before. */
  #grow(more: number): void {
    if (2 * (this.#filled + more) >= this.#total) {
      this.#whole = this.#gather();
      return;
    }
    const bytes = Math.max(more, Math.min(MAX_BLOCK_BYTES, this.#filled));
    this.#blocks.push(new Uint8Array(bytes));
    this.#blockFilled = 0;
  }

  /** The message, as far as it has come; memory for all of it. */
  #gather(): Uint8Array {
    const message = new Uint8Array(this.#total - LENGTH_BYTES);
    let at = 0;
    for (const [i, block] of this.#blocks.entries()) {
      // The length may be all of a short message: then there is no second block, and the first is longer than it.
      const content = block.subarray(
        i === 0 ? LENGTH_BYTES : 0,
        i === this.#blocks.length - 1 ? this.#blockFilled : undefined,
      );
      message.set(content, at);
      at += content.length;
    }
    this.#blocks = [];
    return message;
  }

  #finish(): Uint8Array {
    const message = this.#whole ?? this.#gather();
    this.#begin();
    return message;
  }

  #begin(): void {
    this.#blocks = [new Uint8Array(HEAD_BYTES)];
    this.#blockFilled = 0;
    this.#whole = undefined;
    this.#filled = 0;
    this.#total = 0;
  }
}

function badFraming(message: string, found: number): EnvelopeError {
  return new EnvelopeError('ENVELOPE_BAD_FRAMING', message, { found });
}
