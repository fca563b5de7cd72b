import { create } from '@bufbuild/protobuf';
import { PUBLISH_CODES, type PublishCode } from '@discovery-raft/discovery-consensus-fsm';
import { PublishToDiscoverySchema, PullDiscoverySchema, type DiscoveryDirectory } from '@discovery-raft/protocol';
import {
  decodeDiscoveryBody,
  DEFAULT_LIMITS,
  type ApplicationMessage,
  type EnvelopeLimits,
} from '@discovery-raft/psp-envelope';
import { silentLogger, systemClock, type Clock } from '@discovery-raft/raft-core';
import { LinkError, MessageChannel, newChannelCounters, type ByteChannel } from '@discovery-raft/psp-link';
import { NodeError } from '../errors.js';

const CODE_NAMES = new Map<number, PublishCode>(
  Object.entries(PUBLISH_CODES).map(([name, code]) => [code, name as PublishCode]),
);

/** What a node said of a publish. `unknownCode` is a code of a later version. */
export interface PublishReceipt {
  readonly code: PublishCode | 'unknownCode';
  readonly detail: string;
}

/** Options of a {@link NodeClient}. */
export interface NodeClientOptions {
  /** Version of the discovery protocol. */
  readonly version: string;
  readonly limits?: EnvelopeLimits;
  readonly clock?: Clock;
  /** How long to wait for an answer. Default 30,000. */
  readonly timeoutMs?: number;
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: NodeError | LinkError): void;
}

/** The client's side of a channel to one discovery node: publishes with receipts, and pulls. It trusts nothing. */
export class NodeClient {
  readonly #options: NodeClientOptions;
  readonly #messages: MessageChannel;
  readonly #receipts = new Map<bigint, Waiting<PublishReceipt>>();
  #pulls: Waiting<DiscoveryDirectory>[] = [];
  #lastRequest = 0n;

  constructor(channel: ByteChannel, options: NodeClientOptions) {
    this.#options = options;
    this.#messages = new MessageChannel(channel, {
      limits: options.limits ?? DEFAULT_LIMITS,
      logger: silentLogger,
      counters: newChannelCounters(),
      receive: (message) => this.#take(message),
    });
    channel.onClose(() => this.#closed());
  }

  /**
   * Publishes a signed packet and waits until the node says that it is in the shared list, or refuses it.
   *
   * @throws NodeError NODE_TIMEOUT; LinkError LINK_CHANNEL_CLOSED, LINK_CHANNEL_OVERLOADED
   */
  publish(packet: Uint8Array): Promise<PublishReceipt> {
    const requestID = ++this.#lastRequest;
    const body = create(PublishToDiscoverySchema, {
      version: this.#options.version,
      signedDiscoveryItem: packet,
      requestID,
    });
    return this.#ask(
      (waiting) => this.#receipts.set(requestID, waiting),
      () => this.#receipts.delete(requestID),
      () => this.#messages.send({ event: 'publishToDiscovery', body }),
    );
  }

  /**
   * Asks for the directory that the node serves. Nothing of it is verified: see `verifyDirectory`.
   *
   * @throws NodeError NODE_TIMEOUT (a node without a directory does not answer); LinkError LINK_CHANNEL_CLOSED
   */
  pull(): Promise<DiscoveryDirectory> {
    const body = create(PullDiscoverySchema, { version: this.#options.version });
    let mine: Waiting<DiscoveryDirectory> | undefined;
    return this.#ask<DiscoveryDirectory>(
      (waiting) => {
        mine = waiting;
        this.#pulls.push(waiting);
      },
      () => {
        this.#pulls = this.#pulls.filter((waiting) => waiting !== mine);
      },
      () => this.#messages.send({ event: 'pullDiscovery', body }),
    );
  }

  close(): void {
    this.#messages.close();
  }

  #ask<T>(wait: (waiting: Waiting<T>) => void, forget: () => void, send: () => Promise<void>): Promise<T> {
    const { clock = systemClock, timeoutMs = 30_000 } = this.#options;
    return new Promise<T>((resolve, reject) => {
      const timer = clock.setTimer(timeoutMs, () => {
        forget();
        reject(new NodeError('NODE_TIMEOUT', `the node did not answer within ${timeoutMs} ms`));
      });
      wait({
        resolve: (value) => {
          timer.cancel();
          resolve(value);
        },
        reject: (error) => {
          timer.cancel();
          reject(error);
        },
      });
      send().catch((error: unknown) => {
        timer.cancel();
        forget();
        reject(error);
      });
    });
  }

  #take(message: ApplicationMessage): void {
    const decoded = decodeDiscoveryBody(message.event, message.body, this.#options.limits ?? DEFAULT_LIMITS);
    if (decoded.event === 'publishToDiscoveryResult') {
      const { requestID, code, detail } = decoded.body;
      const waiting = this.#receipts.get(requestID);
      this.#receipts.delete(requestID);
      waiting?.resolve({ code: CODE_NAMES.get(code) ?? 'unknownCode', detail });
    } else if (decoded.event === 'discoveryDirectory') this.#pulls.shift()?.resolve(decoded.body);
  }

  #closed(): void {
    if (this.#receipts.size === 0 && this.#pulls.length === 0) return;
    const error = new LinkError('LINK_CHANNEL_CLOSED', 'the node closed the channel');
    for (const waiting of this.#receipts.values()) waiting.reject(error);
    for (const waiting of this.#pulls) waiting.reject(error);
    this.#receipts.clear();
    this.#pulls = [];
  }
}
