import type { ByteChannel } from '../channel/byte-channel.js';
import { MAX_PAYLOAD_BYTES } from '../cells/command.js';
import { LinkError } from '../errors.js';
import type { Done, Lane } from './cell-writer.js';

/** What a stream needs of its connection. */
export interface StreamHost {
  /** Hands pieces to the writer; their length was checked. */
  sendPieces(stream: PspStream, pieces: readonly Uint8Array[], bytes: number, done: Done): void;
  /** The stream ends by the caller's will. */
  closeStream(stream: PspStream): void;
  /** The peer reads any number of cells of a record. */
  shareRecords(): void;
  /** The stream took or lost what nobody reads: it is full now, or was. */
  fullnessChanged(stream: PspStream): void;
  /** A listener of the stream threw. */
  listenerFailed(stream: PspStream, error: unknown): void;
}

/** Memory that a piece takes beside its bytes, counted against the limit. */
const PIECE_OVERHEAD_BYTES = 256;

/**
 * A stream of a connection: carries pieces of application messages (WIRE.md, section 3). Made by
 * {@link PspConnection.openStream}, or by the peer.
 */
export class PspStream implements ByteChannel {
  /** Its circuit id. */
  readonly id: number;
  /** What it is for; see {@link StreamNamespace}. */
  readonly namespace: number;
  /** Whether its cells wait for those of other streams. Change it before the first `send`. */
  lane: Lane;
  /** @internal Bytes that wait to be sent; kept by the host. */
  queuedBytes = 0;
  readonly #host: StreamHost;
  readonly #maxUnreadBytes: number;
  #closed: LinkError | null = null;
  #listener: ((piece: Uint8Array) => void) | null = null;
  #paused = false;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #closeListeners: ((error: LinkError) => void)[] = [];

  /** @internal */
  constructor(host: StreamHost, id: number, namespace: number, lane: Lane, maxUnreadBytes: number) {
    this.#host = host;
    this.id = id;
    this.namespace = namespace;
    this.lane = lane;
    this.#maxUnreadBytes = maxUnreadBytes;
  }

  get open(): boolean {
    return this.#closed === null;
  }

  /** Whether more has come than may wait to be read: the whole connection is not read while that lasts. */
  get full(): boolean {
    return this.#unreadBytes > this.#maxUnreadBytes;
  }

  /**
   * Sends pieces in order, each as one cell. They must not be written to until it returns.
   *
   * @returns when the socket has taken the last of them over
   * @throws LinkError LINK_CHANNEL_CLOSED; LINK_CHANNEL_OVERLOADED when too much waits already; LINK_TOO_LARGE for a
   *   piece over 65,535 bytes
   */
  send(pieces: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) =>
      this.post(pieces, (error) => {
        if (error === null) resolve();
        else reject(error);
      }),
    );
  }

  /** {@link send} without a promise. @param done told once, perhaps at once: null, or what `send` rejects with. Must not throw */
  post(pieces: readonly Uint8Array[], done: Done): void {
    if (this.#closed !== null) return done(this.#closed);
    let bytes = 0;
    for (const piece of pieces) {
      if (piece.length > MAX_PAYLOAD_BYTES) {
        return done(new LinkError('LINK_TOO_LARGE', 'a piece does not fit a cell', { found: piece.length }));
      }
      bytes += piece.length;
    }
    if (pieces.length === 0) done(null);
    else this.#host.sendPieces(this, pieces, bytes, done);
  }

  /**
   * Sets who takes what arrives. What came before waits for it, up to `maxUnreadStreamBytes`. A piece is good until the
   * listener returns: whoever keeps it copies it, as {@link MessageChannel} does.
   */
  onPiece(listener: (piece: Uint8Array) => void): void {
    this.#listener = listener;
    this.#deliver();
  }

  /**
   * Lets cells share TLS records, on all streams of the connection: for a peer that has shown that it is no deployed
   * client. Between nodes they always do.
   */
  shareRecords(): void {
    this.#host.shareRecords();
  }

  /** Keeps what arrives, and soon holds the peer back: when what was taken could not be worked off yet. */
  pause(): void {
    this.#paused = true;
  }

  /** Goes on after {@link PspStream.pause}. */
  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  /** Called once when either end closes, with LINK_CHANNEL_CLOSED; `details.reason` is the number that the peer gave. */
  onClose(listener: (error: LinkError) => void): void {
    if (this.#closed === null) this.#closeListeners.push(listener);
    else listener(this.#closed);
  }

  /** Ends the stream with reason 1; idempotent. What waits to be sent is dropped: await `send` before. */
  close(): void {
    if (this.#closed === null) this.#host.closeStream(this);
  }

  /** @internal A piece came. */
  take(piece: Uint8Array): void {
    if (this.#closed !== null) return;
    if (this.#listener !== null && !this.#paused && this.#unread.length === 0) {
      this.#give(piece);
      return;
    }
    const wasFull = this.full;
    this.#unread.push(piece.slice());
    this.#unreadBytes += piece.length + PIECE_OVERHEAD_BYTES;
    if (!wasFull && this.full) this.#host.fullnessChanged(this);
  }

  /** @internal The connection has ended it. */
  end(error: LinkError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    const wasFull = this.full;
    this.#unread = [];
    this.#unreadBytes = 0;
    if (wasFull) this.#host.fullnessChanged(this);
    for (const listener of this.#closeListeners.splice(0)) {
      try {
        listener(error);
      } catch (failure) {
        this.#host.listenerFailed(this, failure);
      }
    }
  }

  #give(piece: Uint8Array): void {
    try {
      this.#listener?.(piece);
    } catch (error) {
      this.#host.listenerFailed(this, error);
    }
  }

  #deliver(): void {
    if (this.#listener === null) return;
    const wasFull = this.full;
    // The listener may pause, resume or close in between.
    while (this.#unread.length > 0 && !this.#paused && this.#closed === null) {
      const piece = this.#unread.shift()!;
      this.#unreadBytes -= piece.length + PIECE_OVERHEAD_BYTES;
      this.#give(piece);
    }
    if (this.#closed !== null) return;
    if (wasFull && !this.full) this.#host.fullnessChanged(this);
  }
}
