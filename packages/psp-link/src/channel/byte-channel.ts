import type { Clock } from '@discovery-raft/raft-core';
import { LinkError } from '../errors.js';

/**
 * One end of a connection that carries the pieces of application messages, in order and whole: the payloads of stream
 * cells (WIRE.md, section 2). Who is at the other end is known to whoever made the connection.
 */
export interface ByteChannel {
  /** False once either end has closed. */
  readonly open: boolean;
  /**
   * Sends pieces in order. The bytes must not be written to afterwards.
   *
   * @returns when they need no more memory here: a pair has delivered them, a stream has handed them to its socket
   * @throws LinkError LINK_CHANNEL_CLOSED, LINK_CHANNEL_OVERLOADED
   */
  send(pieces: readonly Uint8Array[]): Promise<void>;
  /**
   * {@link send} without a promise. Left out: there is only that.
   *
   * @param done told once, perhaps at once: null, or what `send` rejects with. Must not throw
   */
  post?(pieces: readonly Uint8Array[], done: (error: LinkError | null) => void): void;
  /**
   * Sets who takes what arrives; pieces that came before wait for it. A piece is good until the listener returns: whoever
   * keeps it copies it.
   */
  onPiece(listener: (piece: Uint8Array) => void): void;
  /**
   * The other end has shown that it is no deployed client: from now on, what it is sent may share TLS records, which costs
   * both ends a fraction. Left out by channels without records.
   */
  shareRecords?(): void;
  /** Called once when either end closes. */
  onClose(listener: () => void): void;
  /** Closes both ends; idempotent. What is under way is lost. */
  close(): void;
}

/** Options of {@link channelPair}. */
export interface ChannelOptions {
  /** Each hop takes a turn of this clock's event loop. */
  readonly clock: Clock;
  /** Milliseconds that a piece is under way. Default 0: the next turn. */
  readonly latencyMs?: number;
  /** Most bytes under way in one direction. Default 64 MiB. */
  readonly maxQueuedBytes?: number;
}

/**
 * Two ends of a connection inside this process. It carries exactly the bytes that a socket would: each piece is copied,
 * so the ends share no memory.
 */
export function channelPair(options: ChannelOptions): readonly [ByteChannel, ByteChannel] {
  const a = new ChannelEnd(options);
  const b = new ChannelEnd(options);
  a.connect(b);
  b.connect(a);
  return [a, b];
}

interface Delivery {
  /** Monotonic milliseconds at which it arrives. */
  readonly at: number;
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: LinkError) => void;
}

class ChannelEnd implements ByteChannel {
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly #maxQueuedBytes: number;
  #other: ChannelEnd | null = null;
  #open = true;
  #underWay: Delivery[] = [];
  #underWayBytes = 0;
  #scheduled = false;
  #listener: ((piece: Uint8Array) => void) | null = null;
  #early: Uint8Array[] = [];
  readonly #closeListeners: (() => void)[] = [];

  constructor(options: ChannelOptions) {
    this.#clock = options.clock;
    this.#latencyMs = options.latencyMs ?? 0;
    this.#maxQueuedBytes = options.maxQueuedBytes ?? 64 * 1024 * 1024;
  }

  get open(): boolean {
    return this.#open;
  }

  connect(other: ChannelEnd): void {
    this.#other = other;
  }

  send(pieces: readonly Uint8Array[]): Promise<void> {
    if (!this.#open) return Promise.reject(new LinkError('LINK_CHANNEL_CLOSED', 'the channel is closed'));
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (this.#underWayBytes + bytes > this.#maxQueuedBytes) {
      return Promise.reject(new LinkError('LINK_CHANNEL_OVERLOADED', 'too many bytes are under way', { bytes }));
    }
    return new Promise((resolve, reject) => {
      const at = this.#clock.now() + this.#latencyMs;
      this.#underWay.push({ at, pieces: pieces.map((piece) => piece.slice()), bytes, resolve, reject });
      this.#underWayBytes += bytes;
      this.#schedule(this.#latencyMs);
    });
  }

  onPiece(listener: (piece: Uint8Array) => void): void {
    this.#listener = listener;
    const early = this.#early;
    this.#early = [];
    // The listener may close the channel, and then the rest is nobody's.
    for (const piece of early) this.receive(piece);
  }

  onClose(listener: () => void): void {
    if (this.#open) this.#closeListeners.push(listener);
    else listener();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const lost = this.#underWay;
    this.#underWay = [];
    this.#underWayBytes = 0;
    this.#early = [];
    for (const { reject } of lost) reject(new LinkError('LINK_CHANNEL_CLOSED', 'the channel was closed'));
    this.#other?.close();
    for (const listener of this.#closeListeners.splice(0)) listener();
  }

  /** One turn of the event loop, or one timer, for all that arrives by then. */
  #schedule(delayMs: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const deliver = (): void => this.#deliver();
    if (delayMs > 0) this.#clock.setTimer(delayMs, deliver);
    else this.#clock.defer(deliver);
  }

  #deliver(): void {
    this.#scheduled = false;
    for (const { pieces, resolve, reject } of this.#takeArrived()) {
      if (!this.#open) {
        reject(new LinkError('LINK_CHANNEL_CLOSED', 'the channel was closed'));
        continue;
      }
      for (const piece of pieces) this.#other?.receive(piece);
      resolve();
    }
  }

  /** What has been under way for long enough; sees to it that the rest is delivered in its time. */
  #takeArrived(): readonly Delivery[] {
    const sent = this.#underWay;
    const now = this.#clock.now();
    const late = this.#latencyMs > 0 ? sent.findIndex(({ at }) => at > now) : -1;
    if (late === -1) {
      this.#underWay = [];
      this.#underWayBytes = 0;
      return sent;
    }
    this.#underWay = sent.slice(late);
    this.#underWayBytes = this.#underWay.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#schedule(this.#underWay[0]!.at - now);
    return sent.slice(0, late);
  }

  receive(piece: Uint8Array): void {
    if (!this.#open) return;
    if (this.#listener === null) this.#early.push(piece);
    else this.#listener(piece);
  }
}
