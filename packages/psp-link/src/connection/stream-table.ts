import type { Clock, Logger, Timer } from '@discovery-raft/raft-core';
import { encodeCell, type Cell } from '../cells/cell.js';
import { Command, CONNECTION_ID, INITIATOR_BIT, StreamNamespace, StreamReason } from '../cells/command.js';
import {
  checkStreamCreated,
  decodeStreamCreate,
  decodeStreamDestroy,
  encodeStreamCreate,
  encodeStreamDestroy,
} from '../cells/stream-cells.js';
import { LinkError } from '../errors.js';
import type { LinkLimits } from '../limits.js';
import type { CellWriter, Done } from './cell-writer.js';
import { countRefusal, type LinkCounters } from './counters.js';
import type { OpenStreamOptions } from './psp-connection.js';
import { PspStream, type StreamHost } from './psp-stream.js';

/** What the streams of a connection need. */
export interface StreamTableOptions {
  readonly initiator: boolean;
  readonly limits: LinkLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly writer: CellWriter;
  readonly counters: LinkCounters;
  /** Whether some stream holds more than may wait to be read. */
  unreadChanged(full: boolean): void;
}

interface Opening {
  readonly stream: PspStream;
  readonly timer: Timer;
  readonly resolve: (stream: PspStream) => void;
  readonly reject: (error: LinkError) => void;
}

/** The streams of one connection: their ids, their opening and ending, and what waits on them. */
export class StreamTable implements StreamHost {
  readonly #options: StreamTableOptions;
  readonly #streams = new Map<number, PspStream>();
  readonly #opening = new Map<number, Opening>();
  #allQueuedBytes = 0;
  readonly #full = new Set<PspStream>();
  #listener: ((stream: PspStream) => void) | null = null;
  #early: PspStream[] = [];
  #lastId = 0;

  constructor(options: StreamTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#streams.size + this.#opening.size;
  }

  onStream(listener: (stream: PspStream) => void): void {
    this.#listener = listener;
    for (const stream of this.#early.splice(0)) if (stream.open) this.#announce(stream);
  }

  open(namespace: number, { lane = 'main', ...extra }: OpenStreamOptions): Promise<PspStream> {
    const { limits, clock, writer } = this.#options;
    if (this.size >= limits.maxStreams) {
      const details = { limit: limits.maxStreams };
      return Promise.reject(new LinkError('LINK_TOO_MANY_STREAMS', 'there are as many streams as may be', details));
    }
    const id = this.#newId();
    const stream = new PspStream(this, id, namespace, lane, limits.maxUnreadStreamBytes);
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(limits.streamTimeoutMs, () => {
        this.#sendDestroy(id, StreamReason.unknown);
        this.#refuseOpening(id, new LinkError('LINK_TIMEOUT', 'the peer does not answer to a new stream'));
      });
      this.#opening.set(id, { stream, timer, resolve, reject });
      writer.control(encodeCell(id, Command.streamCreate, encodeStreamCreate({ namespace, ...extra })));
    });
  }

  /** A cell of one of the four stream commands. @throws LinkError when the connection must end */
  take(cell: Cell): void {
    const { circuitId, command, payload } = cell;
    if (circuitId === CONNECTION_ID) throw unexpected(cell, 'a stream cannot have the id of the connection');
    if (command === Command.streamRelay) {
      const stream = this.#streams.get(circuitId);
      if (stream !== undefined) stream.take(payload);
      else this.#takeStray(cell);
    } else if (command === Command.streamCreate) this.#takeCreate(cell);
    else if (command === Command.streamCreated) this.#takeCreated(cell);
    else this.#takeDestroy(cell);
  }

  /** Ends the streams that hold the connection up, because nobody reads them. */
  endFull(): void {
    for (const stream of [...this.#full]) this.#endWith(stream, StreamReason.unknown, 'LINK_CHANNEL_OVERLOADED');
  }

  /** Ends all streams, telling the peer. */
  closeAll(error: LinkError): void {
    for (const id of [...this.#opening.keys(), ...this.#streams.keys()]) this.#sendDestroy(id, StreamReason.closed);
    this.connectionEnded(error);
  }

  /** Ends all streams: there is no peer to be told. */
  connectionEnded(error: LinkError): void {
    for (const id of [...this.#opening.keys()]) this.#refuseOpening(id, error);
    for (const stream of [...this.#streams.values()]) this.#forget(stream, error);
  }

  sendPieces(stream: PspStream, pieces: readonly Uint8Array[], bytes: number, done: Done): void {
    const { limits, writer } = this.#options;
    const queued = stream.queuedBytes;
    if (
      queued + bytes > limits.maxQueuedStreamBytes ||
      this.#allQueuedBytes + bytes > limits.maxQueuedConnectionBytes
    ) {
      const details = { bytes, queued, queuedOfConnection: this.#allQueuedBytes };
      return done(new LinkError('LINK_CHANNEL_OVERLOADED', 'too many bytes wait to be sent', details));
    }
    stream.queuedBytes += bytes;
    this.#allQueuedBytes += bytes;
    writer.send(stream.lane, stream.id, pieces, (error) => {
      stream.queuedBytes -= bytes;
      this.#allQueuedBytes -= bytes;
      done(error);
    });
  }

  shareRecords(): void {
    this.#options.writer.coalesce = true;
  }

  closeStream(stream: PspStream): void {
    this.#sendDestroy(stream.id, StreamReason.closed);
    this.#forget(stream, new LinkError('LINK_CHANNEL_CLOSED', 'the stream was closed'));
  }

  fullnessChanged(stream: PspStream): void {
    if (stream.full) this.#full.add(stream);
    else this.#full.delete(stream);
    this.#options.unreadChanged(this.#full.size > 0);
  }

  listenerFailed(stream: PspStream, error: unknown): void {
    this.#options.logger.error('a listener of a stream threw, and the stream is closed', { error });
    stream.close();
  }

  #newId(): number {
    const bit = this.#options.initiator ? INITIATOR_BIT : 0;
    do this.#lastId = (this.#lastId % 0x7fff_ffff) + 1;
    while (this.#streams.has(bit + this.#lastId) || this.#opening.has(bit + this.#lastId));
    return bit + this.#lastId;
  }

  #isOwnId(id: number): boolean {
    return id >= INITIATOR_BIT === this.#options.initiator;
  }

  #takeCreate(cell: Cell): void {
    const { circuitId: id, payload } = cell;
    const { limits, counters } = this.#options;
    if (this.#isOwnId(id)) throw unexpected(cell, 'the peer chose an id of the other side');
    const known = this.#streams.get(id);
    // Neither side can tell any more which of the two a cell is for.
    if (known !== undefined) return this.#endWith(known, StreamReason.duplicate, 'LINK_UNEXPECTED_CELL');
    let namespace: number;
    try {
      namespace = decodeStreamCreate(payload).namespace;
    } catch (error) {
      if (error instanceof LinkError) return this.#refuse(id, StreamReason.protocol, error.code);
      throw error;
    }
    if (namespace !== StreamNamespace.discovery) {
      return this.#refuse(id, StreamReason.notSupported, 'LINK_STREAM_REFUSED');
    }
    if (this.size >= limits.maxStreams) return this.#refuse(id, StreamReason.unknown, 'LINK_TOO_MANY_STREAMS');
    const stream = new PspStream(this, id, namespace, 'main', limits.maxUnreadStreamBytes);
    this.#streams.set(id, stream);
    counters.streamsOpened++;
    this.#options.writer.control(encodeCell(id, Command.streamCreated));
    if (this.#listener === null) this.#early.push(stream);
    else this.#announce(stream);
  }

  #announce(stream: PspStream): void {
    try {
      this.#listener?.(stream);
    } catch (error) {
      this.listenerFailed(stream, error);
    }
  }

  #takeCreated(cell: Cell): void {
    const opening = this.#opening.get(cell.circuitId);
    if (opening === undefined) return this.#takeStray(cell);
    try {
      checkStreamCreated(cell.payload);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.#sendDestroy(cell.circuitId, StreamReason.protocol);
      countRefusal(this.#options.counters, error.code);
      return this.#refuseOpening(cell.circuitId, error);
    }
    this.#opening.delete(cell.circuitId);
    opening.timer.cancel();
    this.#streams.set(cell.circuitId, opening.stream);
    this.#options.counters.streamsOpened++;
    opening.resolve(opening.stream);
  }

  #takeDestroy(cell: Cell): void {
    let reason: number;
    try {
      reason = decodeStreamDestroy(cell.payload);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      countRefusal(this.#options.counters, error.code);
      reason = StreamReason.unknown;
    }
    const stream = this.#streams.get(cell.circuitId);
    if (stream !== undefined) {
      this.#forget(stream, new LinkError('LINK_CHANNEL_CLOSED', 'the peer closed the stream', { reason }));
    } else if (this.#opening.has(cell.circuitId)) {
      const refused = new LinkError('LINK_STREAM_REFUSED', 'the peer refused the stream', { reason });
      this.#refuseOpening(cell.circuitId, refused);
    } else this.#takeStray(cell);
  }

  /** A cell of no stream, or one that does not fit the state of its stream. */
  #takeStray(cell: Cell): void {
    const { circuitId: id, command } = cell;
    const known = this.#streams.get(id);
    if (known !== undefined) return this.#endWith(known, StreamReason.protocol, 'LINK_UNEXPECTED_CELL');
    if (this.#opening.has(id)) {
      this.#refuse(id, StreamReason.protocol, 'LINK_UNEXPECTED_CELL');
      return this.#refuseOpening(id, unexpected(cell, 'a cell before the stream was created'));
    }
    if (this.#isOwnId(id) && id % INITIATOR_BIT > this.#lastId) {
      throw unexpected(cell, 'this end has never opened the stream');
    }
    // It was under way when this end closed the stream; or it answers one that was given up.
    this.#options.counters.cellsIgnored += command === Command.streamDestroy ? 0 : 1;
  }

  #refuse(id: number, reason: number, code: LinkError['code']): void {
    countRefusal(this.#options.counters, code);
    this.#sendDestroy(id, reason);
  }

  #endWith(stream: PspStream, reason: number, code: LinkError['code']): void {
    this.#refuse(stream.id, reason, code);
    const cause = new LinkError(code, 'the stream went wrong', { stream: stream.id });
    this.#forget(stream, new LinkError('LINK_CHANNEL_CLOSED', 'the stream was ended', { reason, code }, cause));
  }

  #refuseOpening(id: number, error: LinkError): void {
    const opening = this.#opening.get(id);
    if (opening === undefined) return;
    this.#opening.delete(id);
    opening.timer.cancel();
    opening.stream.end(error);
    opening.reject(error);
  }

  #forget(stream: PspStream, error: LinkError): void {
    if (!this.#streams.delete(stream.id)) return;
    this.#options.writer.drop(stream.id, error);
    stream.end(error);
  }

  #sendDestroy(id: number, reason: number): void {
    this.#options.writer.control(encodeCell(id, Command.streamDestroy, encodeStreamDestroy(reason)));
  }
}

function unexpected({ circuitId, command }: Cell, message: string): LinkError {
  return new LinkError('LINK_UNEXPECTED_CELL', message, { circuitId, command });
}
