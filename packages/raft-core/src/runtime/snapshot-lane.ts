import type { Effect } from '../core/effects.js';
import { RaftError } from '../core/errors.js';
import type { Input } from '../core/inputs.js';
import type { RaftConfig } from '../core/options.js';
import { PROTOCOL_VERSION, type RpcHeader } from '../core/rpc.js';
import type { LogIndex, ServerAddress, ServerId, SnapshotMeta } from '../core/types.js';
import type { ConfigurationAt } from '../core/configuration.js';
import type { Clock, Timer } from '../ports/clock.js';
import type { Logger } from '../ports/logger.js';
import type { Random } from '../ports/random.js';
import type { SnapshotStore } from '../ports/snapshot-store.js';
import type { Transport } from '../ports/transport.js';
import type { FrozenState } from './apply-lane.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { sendSnapshot } from './snapshot-sender.js';

/** What the lane needs of its node. */
export interface SnapshotPorts {
  readonly id: ServerId;
  readonly address: ServerAddress;
  readonly config: RaftConfig;
  readonly store: SnapshotStore;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly feed: (input: Input) => void;
  /** Last index that the state machine has applied. */
  readonly appliedIndex: () => LogIndex;
  /** Whether the state may be shown, see `Raft.readable`. */
  readonly readable: () => boolean;
  readonly freeze: () => FrozenState;
  readonly configurationAt: (index: LogIndex) => ConfigurationAt;
  /** Replaces the state machine's state by a stored snapshot. */
  readonly restore: (meta: SnapshotMeta) => Promise<void>;
  /** The state machine stands at a received snapshot. */
  readonly restored: (meta: SnapshotMeta) => void;
}

/** Everything about snapshots that takes time, beside consensus: taking them, sending them, receiving them. */
export class SnapshotLane {
  readonly #ports: SnapshotPorts;
  readonly #header: RpcHeader;
  readonly #receiver: SnapshotReceiver;
  /** Snapshots being sent, by peer; the value is the leadership they belong to. */
  readonly #sending = new Map<ServerId, number>();
  #last: SnapshotMeta | null;
  #taking: Promise<SnapshotMeta> | null = null;
  #timer: Timer | null = null;
  #stopped = false;

  /** @param last the newest snapshot in the store */
  constructor(ports: SnapshotPorts, last: SnapshotMeta | null) {
    this.#ports = ports;
    this.#header = { protocolVersion: PROTOCOL_VERSION, id: ports.id, address: ports.address };
    this.#receiver = new SnapshotReceiver(ports.store, ports.logger);
    this.#last = last;
  }

  /** Index of the newest snapshot, 0 for none. */
  get lastIndex(): LogIndex {
    return this.#last?.index ?? 0;
  }

  /** Looks from now on whether a snapshot is due. */
  start(): void {
    const { config, clock, random, logger } = this.#ports;
    this.#timer = clock.setTimer(config.snapshotIntervalMs * (1 + random.next()), () => {
      if (this.#ports.appliedIndex() - this.lastIndex >= config.snapshotThreshold) {
        this.take().catch((error: unknown) => logger.warn('a snapshot that was due failed', { error }));
      }
      this.start();
    });
  }

  /** Starts nothing more; what is under way finds out. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#sending.clear();
  }

  /** Resolves when nothing is written any more; after `stop`. */
  async idle(): Promise<void> {
    await this.#taking?.catch((error: unknown) => this.#ports.logger.warn('the last snapshot failed', { error }));
    await this.#receiver.cancel();
  }

  /** Takes a snapshot; a call while one is being taken shares it. */
  take(): Promise<SnapshotMeta> {
    this.#taking ??= this.#take().finally(() => {
      this.#taking = null;
    });
    return this.#taking;
  }

  async #take(): Promise<SnapshotMeta> {
    if (this.#ports.appliedIndex() <= this.lastIndex) {
      throw new RaftError(
        'RAFT_NOTHING_NEW_TO_SNAPSHOT',
        `nothing was applied since the snapshot at ${this.lastIndex}`,
      );
    }
    // A state that lacks redacted entries, and not yet shows what superseded them, must not be handed on.
    if (!this.#ports.readable()) {
      throw new RaftError('RAFT_SNAPSHOT_FAILED', 'this node has not applied what superseded redacted entries');
    }
    const frozen = this.#ports.freeze();
    try {
      const meta = await this.#write(frozen);
      this.#last = meta;
      this.#ports.feed({ type: 'snapshotTaken', meta });
      return meta;
    } catch (cause) {
      if (cause instanceof RaftError) throw cause;
      throw new RaftError('RAFT_SNAPSHOT_FAILED', 'the snapshot could not be written', {}, cause);
    } finally {
      frozen.snapshot.release();
    }
  }

  async #write({ index, term, snapshot }: FrozenState): Promise<SnapshotMeta> {
    const { index: configurationIndex, configuration } = this.#ports.configurationAt(index);
    const sink = await this.#ports.store.create({ version: 1, index, term, configuration, configurationIndex });
    try {
      await snapshot.persist((chunk) => sink.write(chunk));
      return await sink.close();
    } catch (error) {
      await sink.cancel();
      throw error;
    }
  }

  /** Sends the newest snapshot to a follower. */
  send({ peer, epoch, term }: Extract<Effect, { type: 'sendSnapshot' }>): void {
    const { store, transport, config, feed, logger } = this.#ports;
    const peerId = peer.id;
    this.#sending.set(peerId, epoch);
    const current = (): boolean => this.#sending.get(peerId) === epoch && !this.#stopped;
    sendSnapshot({
      store,
      header: this.#header,
      peer,
      term,
      chunkBytes: config.snapshotChunkBytes,
      send: (to, request) => transport.send(to, request, config.rpcTimeoutMs),
      answered: (response) => {
        feed({ type: 'snapshotProgress', peerId, epoch, response });
        return current();
      },
    }).then(
      (index) => {
        if (index === null || !current()) return;
        this.#sending.delete(peerId);
        feed({ type: 'snapshotSent', peerId, epoch, index });
      },
      (error: unknown) => {
        logger.warn('a snapshot could not be sent', { peerId, error });
        feed({ type: 'snapshotSendFailed', peerId, epoch });
      },
    );
  }

  /** Ends the sending to a peer. */
  cancelSending(peerId: ServerId): void {
    this.#sending.delete(peerId);
  }

  /** Takes a chunk that a leader sent. */
  receive({ requestId, request }: Extract<Effect, { type: 'receiveSnapshot' }>): void {
    const { feed, logger } = this.#ports;
    this.#receive(requestId, request).catch((error: unknown) => {
      logger.warn('a snapshot could not be installed', { from: request.header.id, error });
      feed({ type: 'snapshotRefused', requestId, nextOffset: 0 });
    });
  }

  async #receive(requestId: number, request: Extract<Effect, { type: 'receiveSnapshot' }>['request']): Promise<void> {
    const { feed, restore, restored } = this.#ports;
    const result = await this.#receiver.receive(request);
    if (result.kind === 'stored') feed({ type: 'snapshotChunkStored', requestId, nextOffset: result.nextOffset });
    else if (result.kind === 'refused') feed({ type: 'snapshotRefused', requestId, nextOffset: result.nextOffset });
    else {
      await restore(result.meta);
      this.#last = result.meta;
      feed({ type: 'snapshotInstalled', requestId, meta: result.meta });
      restored(result.meta);
    }
  }
}
