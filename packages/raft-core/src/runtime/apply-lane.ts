import { hash } from 'node:crypto';
import { decodeConfiguration } from '../core/configuration.js';
import { RaftError } from '../core/errors.js';
import { encodeSuperseding, supersedingIndex } from '../core/tombstone.js';
import {
  EntryType,
  type Configuration,
  type LogEntry,
  type LogIndex,
  type MonotonicMs,
  type SnapshotMeta,
  type Term,
} from '../core/types.js';
import type { Clock } from '../ports/clock.js';
import type { MaybePromise } from '../ports/log-store.js';
import type { ApplyContext, StateMachine, StateMachineSnapshot } from '../ports/state-machine.js';
import type { SnapshotSource } from '../ports/snapshot-store.js';
import { restoreFrom } from './load-state.js';
import { isPending } from './maybe-promise.js';

/** How long entries are applied before the event loop gets its turn: what else starts with a node must not wait for its whole log. */
const SLICE_MS: MonotonicMs = 8;
/** That is so many entries at first, and never more or fewer than these. */
const FIRST_SLICE_ENTRIES = 1024;
const MAX_SLICE_ENTRIES = 4096;
const MIN_SLICE_ENTRIES = 512;
const SLICE_BYTES = 8 << 20;

/** What the lane needs of the node. */
export interface ApplyPorts<Response> {
  readonly stateMachine: StateMachine<Response>;
  readonly clock: Clock;
  /** Committed entries from `from` to at most `to`; each is used until the next one is asked for. */
  readEntries(from: LogIndex, to: LogIndex, maxBytes: number): MaybePromise<Iterable<LogEntry>>;
  /** One entry, wherever it is; undefined when it is compacted. */
  readEntry(index: LogIndex): MaybePromise<LogEntry | undefined>;
  /** The term of an entry; undefined when it is compacted. */
  termOf(index: LogIndex): Term | undefined;
  entryApplied(entry: LogEntry, response: Response | undefined): void;
  configurationApplied(configuration: Configuration): void;
  /** So many entries were applied in one go. */
  measured(entries: number, tookMs: MonotonicMs): void;
  /** A slice is done: everything up to `index` is applied. */
  advanced(index: LogIndex): void;
  redacted(tombstones: readonly LogEntry[], through: LogIndex): void;
  failed(error: RaftError): void;
}

/** What a state machine said of an entry that is to be redacted. */
interface Redaction {
  /** The entry that superseded it. */
  readonly by: LogIndex;
  readonly sha256: Uint8Array | undefined;
}

/** A state of the state machine between two entries. */
export interface FrozenState {
  readonly index: LogIndex;
  readonly term: Term;
  readonly snapshot: StateMachineSnapshot;
}

/**
 * Drives the state machine: committed entries in order, and between them restores. It never overlaps two calls, and it
 * lets the event loop run between slices.
 */
export class ApplyLane<Response> {
  readonly #ports: ApplyPorts<Response>;
  readonly #context: ApplyContext;
  #applied: LogIndex;
  #appliedTerm: Term;
  #target: LogIndex;
  #busy = false;
  #restoring = false;
  #stopped = false;
  /** Restores that wait for their turn. */
  readonly #restores: (() => Promise<void>)[] = [];
  /** What the slice being applied redacts, by index. */
  #redactions = new Map<LogIndex, Redaction>();
  #applying: LogIndex = 0;
  #sliceEntries = FIRST_SLICE_ENTRIES;
  #incompleteUntil: LogIndex = 0;

  constructor(ports: ApplyPorts<Response>, applied: LogIndex, appliedTerm: Term) {
    this.#ports = ports;
    this.#applied = applied;
    this.#appliedTerm = appliedTerm;
    this.#target = applied;
    this.#context = {
      redact: (index, sha256) => {
        if (index > 0 && index < this.#applying && !this.#redactions.has(index)) {
          this.#redactions.set(index, { by: this.#applying, sha256 });
        }
      },
    };
  }

  get appliedIndex(): LogIndex {
    return this.#applied;
  }

  /** See `Raft.incompleteUntil`. */
  get incompleteUntil(): LogIndex {
    return this.#incompleteUntil;
  }

  /** Entries up to `index` are committed. */
  commit(index: LogIndex): void {
    this.#target = Math.max(this.#target, index);
    this.#run();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Freezes the state as it is now. @throws RaftError RAFT_STATE_MACHINE_FAILED; RAFT_SNAPSHOT_FAILED while restoring */
  freeze(): FrozenState {
    // Between two slices, and while entries are read, the state stands still; a restore and an entry move it.
    if (this.#restoring || this.#applying > this.#applied)
      throw new RaftError('RAFT_SNAPSHOT_FAILED', 'the state machine is busy; try again');
    try {
      return { index: this.#applied, term: this.#appliedTerm, snapshot: this.#ports.stateMachine.snapshot() };
    } catch (cause) {
      throw new RaftError('RAFT_STATE_MACHINE_FAILED', 'the state machine could not freeze its state', {}, cause);
    }
  }

  /** Replaces the state by a snapshot's; skipped when the state is there already. Resolves when done. */
  restore(meta: SnapshotMeta, open: () => MaybePromise<SnapshotSource>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#restores.push(async () => {
        if (meta.index <= this.#applied) return resolve();
        let source: SnapshotSource;
        try {
          source = await open();
        } catch (error) {
          // Nothing has changed yet; the store may have dropped it for newer ones that wait behind this one.
          return reject(toRaftError(error));
        }
        try {
          this.#restoring = true;
          await restoreFrom(source, this.#ports.stateMachine);
          this.#applied = meta.index;
          this.#appliedTerm = meta.term;
          this.#target = Math.max(this.#target, meta.index);
          this.#ports.stateMachine.storeConfiguration?.(meta.configurationIndex, meta.configuration);
          resolve();
        } catch (error) {
          // A state machine that failed half way holds nothing that may be served.
          const failure = toRaftError(error);
          reject(failure);
          this.#ports.failed(failure);
        } finally {
          this.#restoring = false;
        }
      });
      this.#run();
    });
  }

  #run(): void {
    if (this.#busy || this.#stopped) return;
    const restore = this.#restores.shift();
    if (restore !== undefined) {
      this.#await(restore());
      return;
    }
    if (this.#applied >= this.#target) return;
    try {
      const entries = this.#ports.readEntries(
        this.#applied + 1,
        Math.min(this.#target, this.#applied + this.#sliceEntries),
        SLICE_BYTES,
      );
      if (isPending(entries)) this.#await(entries.then((read) => this.#applySlice(read)));
      else {
        const slice = this.#applySlice(entries);
        if (isPending(slice)) this.#await(slice);
        else if (this.#applied < this.#target) this.#yield();
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #yield(): void {
    this.#busy = true;
    this.#ports.clock.defer(() => {
      this.#busy = false;
      this.#run();
    });
  }

  #await(work: Promise<void>): void {
    this.#busy = true;
    work.then(
      () => {
        this.#busy = false;
        this.#run();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    this.#stopped = true;
    this.#ports.failed(
      error instanceof RaftError
        ? error
        : new RaftError('RAFT_STATE_MACHINE_FAILED', 'the state machine threw', {}, error),
    );
  }

  #applySlice(entries: Iterable<LogEntry>): MaybePromise<void> {
    const begin = this.#ports.clock.now();
    let count = 0;
    for (const entry of entries) {
      if (this.#stopped) return;
      this.#applying = entry.index;
      const response = this.#applyEntry(entry);
      this.#applied = entry.index;
      this.#appliedTerm = entry.term;
      this.#ports.entryApplied(entry, response);
      count++;
    }
    const tookMs = this.#ports.clock.now() - begin;
    this.#sliceEntries = nextSlice(this.#sliceEntries, count, tookMs);
    this.#ports.measured(count, tookMs);
    this.#ports.advanced(this.#applied);
    if (this.#redactions.size > 0) return this.#redact();
  }

  #applyEntry(entry: LogEntry): Response | undefined {
    const { stateMachine } = this.#ports;
    switch (entry.type) {
      case EntryType.command:
        return stateMachine.apply(entry, this.#context);
      case EntryType.configuration:
        this.#applyConfiguration(entry);
        return undefined;
      case EntryType.tombstone:
        // What does not say who superseded it is taken for the last that this node knows to be committed.
        this.#incompleteUntil = Math.max(this.#incompleteUntil, supersedingIndex(entry) ?? this.#target);
        stateMachine.applyTombstone?.(entry);
        return undefined;
      case EntryType.noop:
      case EntryType.barrier:
        return undefined;
    }
  }

  #applyConfiguration(entry: LogEntry): void {
    const configuration = decodeConfiguration(entry.data);
    this.#ports.stateMachine.storeConfiguration?.(entry.index, configuration);
    this.#ports.configurationApplied(configuration);
  }

  /** Makes the tombstones of what the slice superseded. */
  #redact(): MaybePromise<void> {
    const redactions = this.#redactions;
    this.#redactions = new Map();
    const tombstones: LogEntry[] = [];
    const originals: MaybePromise<LogEntry | undefined>[] = [];
    let through = 0;
    for (const [index, { by, sha256 }] of redactions) {
      through = Math.max(through, by);
      if (sha256 === undefined) originals.push(this.#ports.readEntry(index));
      else {
        const term = this.#ports.termOf(index);
        if (term !== undefined) tombstones.push(tombstone(index, term, sha256, by));
      }
    }
    const finish = (entries: readonly (LogEntry | undefined)[]): void => {
      for (const entry of entries) {
        if (entry?.type === EntryType.command) tombstones.push(tombstoneOf(entry, redactions.get(entry.index)!.by));
      }
      this.#ports.redacted(tombstones, through);
    };
    if (originals.some(isPending)) return Promise.all(originals.map(async (entry) => entry)).then(finish);
    finish(originals as (LogEntry | undefined)[]);
  }
}

/** How many entries the next slice may have, when this one had so many and took so long. */
function nextSlice(limit: number, entries: number, tookMs: MonotonicMs): number {
  // As many as fit by that measure; a slice that ended early for other reasons says little, so the limit at most doubles.
  const fitting = tookMs > 0 ? Math.floor((entries * SLICE_MS) / tookMs) : Infinity;
  const next = tookMs > SLICE_MS ? fitting : Math.max(limit, Math.min(2 * limit, fitting));
  return Math.min(MAX_SLICE_ENTRIES, Math.max(MIN_SLICE_ENTRIES, next));
}

/**
 * The tombstone of an entry: same index and term, the SHA-256 of its data, and the entry that superseded it (RAFT.md,
 * section 5).
 */
export function tombstoneOf(entry: LogEntry, supersededBy: LogIndex): LogEntry {
  // Not a Hash object, nor a buffer outside the heap: there is a tombstone for every update, and both are for the collector.
  const digest = hash('sha256', entry.data, 'binary');
  const data = new Uint8Array(digest.length);
  for (let i = 0; i < data.length; i++) data[i] = digest.charCodeAt(i);
  return tombstone(entry.index, entry.term, data, supersededBy);
}

function tombstone(index: LogIndex, term: Term, sha256: Uint8Array, supersededBy: LogIndex): LogEntry {
  return { index, term, type: EntryType.tombstone, data: sha256, extensions: encodeSuperseding(supersededBy) };
}

function toRaftError(error: unknown): RaftError {
  return error instanceof RaftError ? error : new RaftError('RAFT_STATE_MACHINE_FAILED', 'a restore failed', {}, error);
}
