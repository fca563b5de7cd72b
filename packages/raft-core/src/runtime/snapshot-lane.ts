import type { Effect } from '../core/effects.js';
import { RaftError } from '../core/errors.js';
import type { Input } from '../core/inputs.js';
import type { RaftConfig } from '../core/options.js';
import { PROTOCOL_VERSION, type RpcHeader } from '../core/rpc.js';
import {
  entrySize,
  type LogEntry,
  type LogIndex,
  type ServerAddress,
  type ServerId,
  type SnapshotMeta,
} from '../core/types.js';
import type { ConfigurationAt } from '../core/configuration.js';
import type { Clock, Timer } from '../ports/clock.js';
import type { LogStore } from '../ports/log-store.js';
import type { Logger } from '../ports/logger.js';
import type { Random } from '../ports/random.js';
import type { SnapshotStore } from '../ports/snapshot-store.js';
import type { Transport } from '../ports/transport.js';
import type { FrozenState } from './apply-lane.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { sendSnapshot } from './snapshot-sender.js';
import { storeFrozen } from './store-frozen.js';
import { endOfTombstones } from './tombstone-run.js';

/**
 * Tombstones of this share of the last snapshot's bytes make a snapshot due. One that lies behind a live entry can only leave
 * the log with a snapshot, so without this rule a single old entry would pin all that die behind it. Whatever the size of
 * the state, writing it then costs less than a kilobyte for each tombstone.
 */
const TOMBSTONE_SHARE = 1 / 12;

/** What the lane needs of its node. */
export interface SnapshotPorts {
  readonly id: ServerId;
  readonly address: ServerAddress;
  readonly store: SnapshotStore;
  readonly logStore: LogStore;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** As it is now: parts of it can be reloaded. */
  readonly config: () => RaftConfig;
  readonly feed: (input: Input) => void;
  /** Last index that the state machine has applied. */
  readonly appliedIndex: () => LogIndex;
  /** Last index that the core knows to be committed. */
  readonly commitIndex: () => LogIndex;
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
  /** Snapshots being sent, by peer: the newest transfer to each. One that was called off may still wait for an answer. */
  readonly #sending = new Map<ServerId, symbol>();
  #last: SnapshotMeta | null;
  #taking: Promise<SnapshotMeta> | null = null;
  /** Bytes of entries applied since the state of the last snapshot was frozen. */
  #bytesSince = 0;
  /** Bytes of the tombstones that were made since, and how many they are. */
  #tombstoneBytesSince = 0;
  #tombstonesSince = 0;
  /** Whether the bytes made one due already; when it failed, the next look at the clock allows another. */
  #triedByBytes = false;
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

  /** Looks from now on whether a snapshot is due; also after the configuration changed. */
  start(): void {
    if (this.#stopped) return;
    const { clock, random } = this.#ports;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(this.#ports.config().snapshotIntervalMs * (1 + random.next()), () => {
      this.#triedByBytes = false;
      const { snapshotThreshold } = this.#ports.config();
      if (this.#ports.appliedIndex() - this.lastIndex >= snapshotThreshold) this.#takeDue();
      this.start();
    });
  }

  /** An entry of so many bytes was applied. */
  applied(bytes: number): void {
    this.#bytesSince += bytes;
  }

  /** Entries of the log become tombstones. */
  redacted(tombstones: readonly LogEntry[]): void {
    this.#tombstonesSince += tombstones.length;
    for (const tombstone of tombstones) this.#tombstoneBytesSince += entrySize(tombstone);
  }

  /** Entries were applied: takes a snapshot if their bytes, or the tombstones that they made, make one due. */
  advanced(): void {
    if (this.#triedByBytes || this.#stopped) return;
    const { snapshotThreshold, snapshotThresholdBytes } = this.#ports.config();
    const pinned =
      this.#tombstonesSince >= snapshotThreshold &&
      this.#tombstoneBytesSince >= TOMBSTONE_SHARE * (this.#last?.size ?? 0);
    if (this.#bytesSince < snapshotThresholdBytes && !pinned) return;
    this.#triedByBytes = true;
    this.#takeDue();
  }

  #takeDue(): void {
    this.take().catch((error: unknown) => this.#ports.logger.warn('a snapshot that was due failed', { error }));
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
    await this.#receiver.idle();
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
    // Restored a moment ago: the core has yet to hear of it, and of the configuration that goes with the state.
    if (this.#ports.appliedIndex() > this.#ports.commitIndex()) {
      throw new RaftError('RAFT_SNAPSHOT_FAILED', 'the state machine is being restored; try again');
    }
    const frozen = this.#ports.freeze();
    const bytes = this.#bytesSince;
    const tombstones = this.#tombstonesSince;
    const tombstoneBytes = this.#tombstoneBytesSince;
    try {
      const meta = await this.#write(frozen);
      this.passed(meta);
      this.#bytesSince -= bytes;
      this.#tombstonesSince -= tombstones;
      this.#tombstoneBytesSince -= tombstoneBytes;
      this.#triedByBytes = false;
      this.#ports.feed({ type: 'snapshotTaken', meta, tombstonesThrough: await this.#tombstonesBehind(meta) });
      return meta;
    } catch (cause) {
      if (cause instanceof RaftError) throw cause;
      throw new RaftError('RAFT_SNAPSHOT_FAILED', 'the snapshot could not be written', {}, cause);
    }
  }

  /** End of the tombstones that would stand at the head of the log once it has lost all but its trailing entries. */
  async #tombstonesBehind(meta: SnapshotMeta): Promise<LogIndex> {
    const { logStore, config, logger } = this.#ports;
    try {
      const head = Math.max(logStore.firstIndex, meta.index - config().trailingLogs + 1);
      return await endOfTombstones(logStore, head, meta.index);
    } catch (error) {
      logger.warn('the log could not be read to compact it', { error });
      return 0;
    }
  }

  #write({ index, term, snapshot }: FrozenState): Promise<SnapshotMeta> {
    const { index: configurationIndex, configuration } = this.#ports.configurationAt(index);
    return storeFrozen(this.#ports.store, { version: 1, index, term, configuration, configurationIndex }, snapshot);
  }

  /** A snapshot is stored; a newer one may have come before. */
  passed(meta: SnapshotMeta): void {
    if (meta.index >= this.lastIndex) this.#last = meta;
  }

  /** Sends the newest snapshot to a follower. */
  send({ peer, epoch, term }: Extract<Effect, { type: 'sendSnapshot' }>): void {
    const { store, transport, feed, logger } = this.#ports;
    const config = this.#ports.config();
    const peerId = peer.id;
    const transfer = Symbol(peerId);
    this.#sending.set(peerId, transfer);
    const current = (): boolean => this.#sending.get(peerId) === transfer && !this.#stopped;
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
        if (!current()) return;
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
      this.passed(result.meta);
      feed({ type: 'snapshotInstalled', requestId, meta: result.meta });
      restored(result.meta);
    }
  }
}
