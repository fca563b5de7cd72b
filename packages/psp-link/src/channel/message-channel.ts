import {
  decodeApplicationMessage,
  encodeDiscoveryBody,
  Reassembler,
  segmentBody,
  type ApplicationMessage,
  type DiscoveryMessage,
  type EnvelopeLimits,
  type EventName,
} from '@discovery-raft/psp-envelope';
import type { Logger } from '@discovery-raft/raft-core';
import type { ByteChannel } from './byte-channel.js';

/** Bytes and messages that went through a channel. */
export interface ChannelCounters {
  bytesSent: number;
  bytesReceived: number;
  messagesSent: number;
  messagesReceived: number;
  /** Times that the other end broke the protocol, which closes the channel. */
  malformed: number;
}

/** Zero of everything. */
export function newChannelCounters(): ChannelCounters {
  return { bytesSent: 0, bytesReceived: 0, messagesSent: 0, messagesReceived: 0, malformed: 0 };
}

/** Options of a {@link MessageChannel}. */
export interface MessageChannelOptions {
  readonly limits: EnvelopeLimits;
  readonly logger: Logger;
  /** Counted into; shared by all channels of a node. */
  readonly counters: ChannelCounters;
  /**
   * How loudly bytes are told of that are no message. `warn`, the default, is for peers; of clients that anybody may be it
   * would let each of them fill the log.
   */
  readonly malformedLevel?: 'debug' | 'warn';
  /** Takes a message; its body is not decoded yet. A throw counts as malformed. */
  receive(message: ApplicationMessage, channel: MessageChannel): void;
}

/** Application messages over a byte channel. Bytes that are no message end this channel, and nothing else. */
export class MessageChannel {
  readonly #channel: ByteChannel;
  readonly #options: MessageChannelOptions;
  readonly #reassembler: Reassembler;

  constructor(channel: ByteChannel, options: MessageChannelOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#reassembler = new Reassembler(options.limits, 'cells');
    channel.onPiece((piece) => this.#take(piece));
  }

  get open(): boolean {
    return this.#channel.open;
  }

  onClose(listener: () => void): void {
    this.#channel.onClose(listener);
  }

  close(): void {
    this.#channel.close();
  }

  /** See {@link ByteChannel.shareRecords}. */
  shareRecords(): void {
    this.#channel.shareRecords?.();
  }

  /** Sends a message. @throws EnvelopeError for one that cannot be encoded; LinkError of the channel */
  send(message: DiscoveryMessage): Promise<void> {
    return this.#sent(() => segmentBody(message.event, [encodeDiscoveryBody(message)], this.#options.limits));
  }

  /**
   * {@link send} for who sends thousands of messages a second: no promise is made.
   *
   * @param done told once, perhaps at once: null, or what `send` rejects with. Must not throw
   */
  post(message: DiscoveryMessage, done: (error: unknown) => void): void {
    let pieces: readonly Uint8Array[];
    try {
      pieces = segmentBody(message.event, [encodeDiscoveryBody(message)], this.#options.limits);
    } catch (error) {
      return done(error);
    }
    this.#count(pieces);
    if (this.#channel.post !== undefined) this.#channel.post(pieces, done);
    else this.#channel.send(pieces).then(() => done(null), done);
  }

  /**
   * Sends a message whose body is encoded already, in one window or several, one after the other. Most of a large body is
   * not copied, so what many channels are sent, such as the directory that every client pulls, costs memory once.
   *
   * @throws as {@link MessageChannel.send}
   */
  sendEncoded(event: EventName, ...body: readonly Uint8Array[]): Promise<void> {
    return this.#sent(() => segmentBody(event, body, this.#options.limits));
  }

  /** The channel's own promise, or a rejected one when there are no pieces. */
  #sent(cut: () => readonly Uint8Array[]): Promise<void> {
    let pieces: readonly Uint8Array[];
    try {
      pieces = cut();
    } catch (error) {
      return Promise.reject(error);
    }
    this.#count(pieces);
    return this.#channel.send(pieces);
  }

  #count(pieces: readonly Uint8Array[]): void {
    const { counters } = this.#options;
    counters.messagesSent++;
    for (const piece of pieces) counters.bytesSent += piece.length;
  }

  /**
   * Gives the body of a message back that was received, of which nobody keeps a window: the next is gathered in its memory.
   * See {@link Reassembler.reuse}.
   */
  reuse(body: Uint8Array): void {
    this.#reassembler.reuse(body);
  }

  #take(piece: Uint8Array): void {
    const { counters, limits, logger, malformedLevel = 'warn' } = this.#options;
    counters.bytesReceived += piece.length;
    try {
      for (const message of this.#reassembler.push(piece)) {
        counters.messagesReceived++;
        this.#options.receive(decodeApplicationMessage(message, limits), this);
      }
    } catch (error) {
      counters.malformed++;
      logger[malformedLevel]('a channel carried something that is no message, and is closed', { error });
      this.close();
    }
  }
}
