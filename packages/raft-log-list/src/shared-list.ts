import {
  silentLogger,
  type ApplyContext,
  type LogEntry,
  type LogIndex,
  type Logger,
  type SnapshotBytes,
  type StateMachine,
  type StateMachineSnapshot,
} from '@discovery-raft/raft-core';
import { completeLimits, type ListLimits } from './limits.js';
import { ListEmitter, type FrozenList, type ListEvents } from './list-events.js';
import type { ListSchema, StoredRecord } from './record.js';
import { readSnapshot } from './snapshot/read-snapshot.js';
import { writeSnapshot } from './snapshot/write-snapshot.js';
import { applyEntry, mayRedact, type EntryEffect, type IgnoredReason, type ListRules } from './state/apply-entry.js';
import { AttesterBook } from './state/attesters.js';
import { EntryChain } from './state/entry-chain.js';
import { HASH_BYTES, packHash, type Crc32, type PackedSha256 } from './state/hashing.js';
import { ListState } from './state/list-state.js';
import { StateView } from './state/list-view.js';
import type { LiveRecord } from './state/live-record.js';

/** What applying an entry gave; the answer that the proposer gets. */
export type ListResult =
  | { readonly kind: 'inserted'; readonly record: StoredRecord; readonly replaced: readonly StoredRecord[] }
  | { readonly kind: 'deleted'; readonly records: readonly StoredRecord[] }
  | ({ readonly kind: 'frozen' } & FrozenList)
  | { readonly kind: 'ignored'; readonly reason: IgnoredReason };

/** Options of a {@link SharedList}. */
export interface SharedListOptions {
  /** The same on every replica. */
  readonly schema: ListSchema;
  /** The same on every replica. */
  readonly limits?: Partial<ListLimits>;
  /** For the digests that replicas compare: in Node `(bytes) => hash('sha256', bytes, 'binary')`. */
  readonly sha256: PackedSha256;
  /** For snapshots: in Node `crc32` of `node:zlib`. */
  readonly crc32: Crc32;
  readonly logger?: Logger;
}

/** Counts of what was applied since this object was made. */
export interface ListStats {
  readonly inserted: number;
  readonly replaced: number;
  readonly deleted: number;
  readonly frozen: number;
  readonly ignored: Readonly<Record<IgnoredReason, number>>;
  /** Entries that were asked to leave the log. */
  readonly redacted: number;
}

/**
 * The shared list, as every replica holds it: the state machine of a Raft group. Give it to `Raft.create` and read from
 * it; nothing but the log changes it. The leader's {@link ListWriter} decides what goes into the log.
 *
 * @example
 * const list = new SharedList({ schema, sha256: (bytes) => hash('sha256', bytes, 'binary'), crc32 });
 * const raft = await Raft.create({ ...options, stateMachine: list });
 * const frozen = list.view(); // stays as it is
 */
export class SharedList implements StateMachine<ListResult> {
  /** For Raft: records hold copies in buffers of their own. */
  readonly keepsNoBytes = true;
  readonly schema: ListSchema;
  readonly limits: ListLimits;
  readonly #events: ListEmitter;
  readonly #rules: ListRules;
  #state = new ListState();
  #chain: EntryChain;
  #appliedIndex: LogIndex = 0;
  #view: StateView | undefined;
  #lastFrozen: FrozenList | undefined;
  /** An entry without effect whose data is to leave the log; it takes a later entry to say so. 0 for none. */
  #deadOnArrival: LogIndex = 0;
  /** Of the snapshot that was restored last: records up to there were read from it, and not from the log. */
  #restoredIndex: LogIndex = 0;
  readonly #counts = { inserted: 0, replaced: 0, deleted: 0, frozen: 0, redacted: 0 };
  readonly #ignored: Record<IgnoredReason, number> = { malformed: 0, unknownPacket: 0, empty: 0, nothingToDelete: 0 };

  /** @throws ListError LIST_OPTION_INVALID */
  constructor(options: SharedListOptions) {
    const { schema, sha256, crc32, logger = silentLogger } = options;
    this.schema = schema;
    this.limits = completeLimits(options.limits);
    this.#rules = { schema, limits: this.limits, sha256, crc32, attesters: new AttesterBook(schema) };
    this.#chain = new EntryChain(sha256);
    this.#events = new ListEmitter((event, error) => logger.error('a listener of the list threw', { event, error }));
  }

  /** Log index of the last entry, or tombstone of one, that was applied here; entries that are not the list's do not count. */
  get appliedIndex(): LogIndex {
    return this.#appliedIndex;
  }

  /** Live records. */
  get size(): number {
    return this.#state.size;
  }

  /** Bytes of the live records, see {@link recordBytes}: what the log needs to hold of them. */
  get liveBytes(): number {
    return this.#state.liveBytes;
  }

  /** The list as of the last freeze marker applied since the start or the last restore. */
  get lastFrozen(): FrozenList | undefined {
    return this.#lastFrozen;
  }

  /** What was applied since this object was made. */
  get stats(): ListStats {
    return { ...this.#counts, ignored: { ...this.#ignored } };
  }

  /** The list as it is now, for good; O(1). */
  view(): StateView {
    const place = { index: this.#appliedIndex, chain: this.#chain.value };
    this.#view ??= new StateView(place, this.#state.freeze(), this.#rules.sha256);
    return this.#view;
  }

  /** The live records of an identity, the older packet first; O(1). */
  get(identity: string): readonly StoredRecord[] {
    return this.#state.get(identity);
  }

  /**
   * The identities, in order, of which some record may have to go at that Unix second: because it has expired, or because
   * there is another. O(size), but only a millisecond for a million.
   */
  due(nowSeconds: number): readonly string[] {
    return this.#state.due(nowSeconds);
  }

  /** All live records in order, of a view taken now. */
  entries(): Iterable<StoredRecord> {
    return this.view().entries();
  }

  /** Whom the schema names as the owner of a certificate; what it said of one is remembered. */
  attesterOf(certificate: Uint8Array): string | undefined {
    return this.#rules.attesters.find(certificate).attester;
  }

  /** Listens; the function that comes back ends it. A listener must not write to the list's objects. */
  on<Name extends keyof ListEvents>(name: Name, listener: (event: ListEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** For Raft: applies one committed entry. Total: any bytes are applied alike on every replica. */
  apply(entry: LogEntry, context: ApplyContext): ListResult {
    const { index } = entry;
    const dataHash = this.#rules.sha256(entry.data);
    const effect = applyEntry(this.#state, entry, dataHash, this.#rules);
    this.#passed(entry, dataHash);
    this.#redact(effect, index, context);
    return this.#tell(effect, index);
  }

  /** For Raft: an entry that left the log before this replica saw it; its hash goes into the chain as the entry's would. */
  applyTombstone(tombstone: LogEntry): void {
    const { data } = tombstone;
    this.#passed(tombstone, data.length === HASH_BYTES ? packHash(data) : this.#rules.sha256(data));
  }

  /** For Raft: freezes the state; constant time. */
  snapshot(): StateMachineSnapshot {
    let view: StateView | undefined = this.view();
    const deadOnArrival = this.#deadOnArrival;
    return {
      persist: async (write) => {
        if (view !== undefined) await writeSnapshot(view, deadOnArrival, this.#rules.crc32, write);
      },
      release: () => {
        view = undefined;
      },
    };
  }

  /**
   * For Raft: replaces the list by a snapshot's. When it rejects, the list is as it was.
   *
   * @throws ListError LIST_SNAPSHOT_CORRUPT, LIST_SNAPSHOT_VERSION; what `bytes` throws
   */
  async restore(bytes: SnapshotBytes): Promise<void> {
    const { state, index, deadOnArrival, chain } = await readSnapshot(bytes, this.#rules);
    this.#state.abandon();
    this.#state = state;
    this.#chain = new EntryChain(this.#rules.sha256, chain);
    this.#appliedIndex = index;
    this.#deadOnArrival = deadOnArrival;
    this.#restoredIndex = index;
    this.#view = undefined;
    this.#lastFrozen = undefined;
    this.#events.emit('restored', { index, size: state.size });
  }

  #passed({ index, term }: LogEntry, dataHash: string): void {
    this.#chain.extend(index, term, dataHash);
    this.#appliedIndex = index;
    this.#view = undefined;
  }

  #redact(effect: EntryEffect, index: LogIndex, context: ApplyContext): void {
    if (this.#deadOnArrival > 0) {
      this.#counts.redacted++;
      context.redact(this.#deadOnArrival);
    }
    const useless = effect.kind === 'ignored' && (effect.reason === 'malformed' || effect.reason === 'unknownPacket');
    this.#deadOnArrival = useless ? index : 0;
    if (effect.kind === 'inserted') {
      for (const dead of effect.replaced) this.#redactRecord(dead, effect.record.origin, context);
    } else if (effect.kind === 'deleted') {
      for (const dead of effect.records) this.#redactRecord(dead, effect.origin, context);
    }
  }

  #redactRecord(dead: LiveRecord, byOrigin: LogIndex, context: ApplyContext): void {
    if (!mayRedact(dead, byOrigin)) return;
    this.#counts.redacted++;
    context.redact(dead.index, dead.index > this.#restoredIndex ? dead.dataHash : undefined);
  }

  #tell(effect: EntryEffect, index: LogIndex): ListResult {
    if (effect.kind === 'inserted') {
      this.#counts.inserted++;
      this.#counts.replaced += effect.replaced.length;
      this.#events.emit('inserted', { record: effect.record, replaced: effect.replaced });
      return effect;
    }
    if (effect.kind === 'deleted') {
      this.#counts.deleted += effect.records.length;
      for (const record of effect.records) this.#events.emit('deleted', { record, index });
      return { kind: 'deleted', records: effect.records };
    }
    if (effect.kind === 'marked') {
      this.#counts.frozen++;
      const frozen: FrozenList = { round: effect.round, index, view: this.view() };
      this.#lastFrozen = frozen;
      this.#events.emit('frozen', frozen);
      return { kind: 'frozen', ...frozen };
    }
    this.#ignored[effect.reason]++;
    this.#events.emit('ignored', { index, reason: effect.reason });
    return effect;
  }
}
