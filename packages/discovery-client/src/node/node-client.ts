import { create } from '@bufbuild/protobuf';
import {
  PublishToDiscoverySchema,
  PullDiscoverySchema,
  PullTrustRootsSchema,
  type DiscoveryDirectory,
  type DiscoveryDirectoryPart,
  type SignedTrustRoot,
} from '@discovery-raft/protocol';
import {
  decodeDiscoveryBody,
  DEFAULT_LIMITS,
  DirectoryAssembler,
  publishCodeOf,
  type ApplicationMessage,
  type EnvelopeLimits,
  type PublishCode,
} from '@discovery-raft/psp-envelope';
import { LinkError, MessageChannel, newChannelCounters, type ByteChannel } from '@discovery-raft/psp-link';
import { silentLogger, systemClock, type Clock } from '@discovery-raft/raft-core';
import { DEFAULT_MAX_DIRECTORY_BYTES } from '../directory/verify-directory.js';
import { ClientError } from '../errors.js';

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
  /** Most bytes of a directory that comes in parts; 0 to be a client as deployed, without parts. Default 64 MiB. */
  readonly maxDirectoryBytes?: number;
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: ClientError | LinkError): void;
}

interface Pull extends Waiting<DiscoveryDirectory | null> {
  readonly requestID: bigint;
  /** From its first part on. */
  assembler: DirectoryAssembler | undefined;
}

/** The client's side of a channel to one discovery node: publishes with receipts, and pulls. It trusts nothing. */
export class NodeClient {
  readonly #options: NodeClientOptions;
  readonly #limits: EnvelopeLimits;
  readonly #maxDirectoryBytes: number;
  readonly #messages: MessageChannel;
  readonly #receipts = new Map<bigint, Waiting<PublishReceipt>>();
  readonly #rootPulls = new Map<bigint, Waiting<readonly SignedTrustRoot[]>>();
  #pulls: Pull[] = [];
  #lastRequest = 0n;

  constructor(channel: ByteChannel, options: NodeClientOptions) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#maxDirectoryBytes = options.maxDirectoryBytes ?? DEFAULT_MAX_DIRECTORY_BYTES;
    this.#messages = new MessageChannel(channel, {
      limits: this.#limits,
      logger: silentLogger,
      counters: newChannelCounters(),
      receive: (message) => this.#take(message),
    });
    channel.onClose(() => this.#closed());
  }

  /**
   * Publishes a signed packet and waits until the node says that it is in the shared list, or refuses it.
   *
   * @throws ClientError CLIENT_TIMEOUT (a node without our extensions gives no receipt); LinkError LINK_CHANNEL_CLOSED,
   *   LINK_CHANNEL_OVERLOADED; EnvelopeError ENVELOPE_TOO_LARGE
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
   * Asks for the directory that the node serves, which may come in parts. Nothing of it is verified: see
   * `verifyDirectory`.
   *
   * @throws ClientError CLIENT_TIMEOUT (a deployed node without a directory does not answer), CLIENT_NO_DIRECTORY (one
   *   with our extensions says so), CLIENT_BAD_ANSWER, CLIENT_TOO_LARGE; LinkError LINK_CHANNEL_CLOSED
   */
  async pull(): Promise<DiscoveryDirectory> {
    const directory = await this.pullNewer(0);
    if (directory === null) throw new ClientError('CLIENT_NO_DIRECTORY', 'the node has no directory for this client');
    return directory;
  }

  /**
   * As {@link NodeClient.pull}, for a client that has a directory already. A node without our extensions sends what it has.
   *
   * @param creation of the directory that the client has, Unix seconds
   * @returns null when the node says that it has none that is newer (and that this client takes)
   */
  pullNewer(creation: number): Promise<DiscoveryDirectory | null> {
    const requestID = this.#maxDirectoryBytes === 0 ? 0n : ++this.#lastRequest;
    const body = create(PullDiscoverySchema, {
      version: this.#options.version,
      requestID,
      maxDirectoryBytes: BigInt(this.#maxDirectoryBytes),
      newerThan: BigInt(requestID === 0n ? 0 : Math.max(0, Math.floor(creation))),
    });
    let mine: Pull | undefined;
    return this.#ask<DiscoveryDirectory | null>(
      (waiting) => {
        mine = { ...waiting, requestID, assembler: undefined };
        this.#pulls.push(mine);
      },
      () => {
        if (mine !== undefined) this.#forget(mine);
      },
      () => this.#messages.send({ event: 'pullDiscovery', body }),
    );
  }

  /**
   * Asks for the trust roots behind the one of a version; a node sends 64 at a time. Nothing of them is verified: see
   * `TrustRootChain.extend` of psp-envelope. A node without our extensions ends the channel, as it does not know the event.
   *
   * @throws ClientError CLIENT_TIMEOUT; LinkError LINK_CHANNEL_CLOSED
   */
  pullTrustRoots(newerThan: number): Promise<readonly SignedTrustRoot[]> {
    const requestID = ++this.#lastRequest;
    const { version } = this.#options;
    const body = create(PullTrustRootsSchema, { version, requestID, newerThan: BigInt(newerThan) });
    return this.#ask(
      (waiting) => this.#rootPulls.set(requestID, waiting),
      () => this.#rootPulls.delete(requestID),
      () => this.#messages.send({ event: 'pullTrustRoots', body }),
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
        reject(new ClientError('CLIENT_TIMEOUT', `the node did not answer within ${timeoutMs} ms`));
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
    const decoded = decodeDiscoveryBody(message.event, message.body, this.#limits);
    if (decoded.event === 'publishToDiscoveryResult') {
      const { requestID, code, detail } = decoded.body;
      const waiting = this.#receipts.get(requestID);
      this.#receipts.delete(requestID);
      waiting?.resolve({ code: publishCodeOf(code) ?? 'unknownCode', detail });
    } else if (decoded.event === 'trustRoots') {
      const waiting = this.#rootPulls.get(decoded.body.requestID);
      this.#rootPulls.delete(decoded.body.requestID);
      waiting?.resolve(decoded.body.roots);
    } else if (decoded.event === 'discoveryDirectory') this.#takeWhole(decoded.body);
    else if (decoded.event === 'discoveryDirectoryPart') this.#takePart(decoded.body, message.body);
  }

  /** A whole directory names no request: it is for the first who waits and has not been given parts. */
  #takeWhole(directory: DiscoveryDirectory): void {
    const pull = this.#pulls.find(({ assembler }) => assembler === undefined);
    if (pull === undefined) return;
    this.#forget(pull);
    pull.resolve(directory);
  }

  /** @param bytes what the part is a window of */
  #takePart(part: DiscoveryDirectoryPart, bytes: Uint8Array): void {
    const pull = this.#pulls.find(({ requestID }) => requestID === part.requestID && requestID !== 0n);
    if (pull === undefined) return;
    if (part.count === 0) {
      this.#forget(pull);
      return pull.resolve(null);
    }
    const maxDirectoryBytes = this.#maxDirectoryBytes;
    pull.assembler ??= new DirectoryAssembler({ maxDirectoryBytes });
    try {
      const whole = pull.assembler.push(part);
      this.#messages.reuse(bytes);
      if (whole === undefined) return;
      const decoded = decodeDiscoveryBody('discoveryDirectory', whole, this.#limits);
      if (decoded.event !== 'discoveryDirectory') return;
      this.#forget(pull);
      pull.resolve(decoded.body);
    } catch (error) {
      this.#forget(pull);
      const isTooLarge = Number(part.totalBytes) > maxDirectoryBytes;
      pull.reject(
        new ClientError(
          isTooLarge ? 'CLIENT_TOO_LARGE' : 'CLIENT_BAD_ANSWER',
          'the parts of the directory are not what was asked for',
          {},
          error,
        ),
      );
      // Ends the channel: the rest of the answer is of no use.
      throw error;
    }
  }

  #forget(pull: Pull): void {
    this.#pulls = this.#pulls.filter((other) => other !== pull);
  }

  #closed(): void {
    if (this.#receipts.size + this.#rootPulls.size + this.#pulls.length === 0) return;
    const error = new LinkError('LINK_CHANNEL_CLOSED', 'the node closed the channel');
    for (const waiting of this.#receipts.values()) waiting.reject(error);
    for (const waiting of this.#rootPulls.values()) waiting.reject(error);
    for (const waiting of this.#pulls) waiting.reject(error);
    this.#receipts.clear();
    this.#rootPulls.clear();
    this.#pulls = [];
  }
}
