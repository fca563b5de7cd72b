import type { Clock } from '@discovery-raft/raft-core';
import { encodeEntry } from '../codec/entry-codec.js';
import { ListError } from '../errors.js';
import type { FrozenList } from '../list-events.js';
import { sameBytes, type StoredRecord } from '../record.js';
import type { ListResult, SharedList } from '../shared-list.js';
import { addAttestation } from '../state/apply-entry.js';
import { CoalescingWindow } from './coalescing-window.js';
import { EntryGate, type Propose } from './entry-gate.js';
import {
  addUpsert,
  attestationBytes,
  attestationsInFlight,
  countAttesters,
  findWaiting,
  namesOf,
  packetsOf,
  type Lane,
  type ReadPacket,
} from './lane.js';
import {
  createDeferred,
  dispensable,
  planUpsert,
  recordsOf,
  type Deferred,
  type Operation,
  type RemoveOperation,
  type UpsertOperation,
  type UpsertOutcome,
} from './operations.js';
import { ignoredError, lostError } from './write-errors.js';

/** What a leader needs in order to write. */
export interface LeadershipPorts {
  readonly list: SharedList;
  readonly propose: Propose;
  readonly clock: Clock;
  readonly coalesceMs: number;
  readonly lateCoalesceMs: number;
  readonly maxPendingBytes: number;
  readonly maxRecordsPerIdentity: number;
  readonly threshold: () => number;
  /** Infinity when it is not known. */
  readonly attesters: () => number;
}

/** A write that waits for more to go with it. */
interface WaitingUpsert {
  readonly lane: Lane;
  readonly operation: UpsertOperation;
}

const OPERATION_OVERHEAD_BYTES = 64;
const REMOVALS_AT_ONCE = 1024;
const RECORDS_PER_TURN = 8192;
const FENCE = new Uint8Array(0);

/**
 * One term of leadership: all that a leader holds beside the log. Dropped whole at its end, so that nothing outlives the
 * term; the next leader starts from the applied list alone.
 */
export class Leadership {
  readonly #ports: LeadershipPorts;
  readonly #lanes = new Map<string, Lane>();
  readonly #window: CoalescingWindow<WaitingUpsert>;
  /**
   * For attestations that their packet does not need: nobody misses them, and the others of that kind are on their way, so
   * that one write takes them all.
   */
  readonly #lateWindow: CoalescingWindow<WaitingUpsert>;
  /** Promises beside those of the operations, to be rejected at the end. */
  readonly #waiting = new Set<Deferred<never>>();
  readonly #gate: EntryGate;
  /** Of operations, while they wait and while they are written. */
  #operationBytes = 0;
  #ended = false;

  constructor(ports: LeadershipPorts) {
    this.#ports = ports;
    this.#gate = new EntryGate(ports.propose);
    const due = ({ lane, operation }: WaitingUpsert): void => {
      // It may have been written before its time, and the identity may have another lane by now.
      if (operation.ready) return;
      operation.ready = true;
      this.#pump(lane);
    };
    this.#window = new CoalescingWindow(ports.clock, ports.coalesceMs, due);
    this.#lateWindow = new CoalescingWindow(ports.clock, ports.lateCoalesceMs, due);
  }

  get pendingBytes(): number {
    return this.#operationBytes + this.#gate.pendingBytes;
  }

  /** See `ListWriter.upsertThen`. @throws ListError */
  upsert(read: ReadPacket, told: (outcome: UpsertOutcome) => void, failed: (error: Error) => void): void {
    const known = this.#lanes.get(read.identity);
    const records = this.#ports.list.get(read.identity);
    const same = recordsOf(records, read);
    if (known === undefined && records.length > 0) {
      const plan = planUpsert(records, same, read);
      if (plan.kind !== 'update') return void Promise.resolve(plan).then(told);
    }
    const cost = OPERATION_OVERHEAD_BYTES + read.packet.length + attestationBytes(read.attestations);
    if (this.pendingBytes + cost > this.#ports.maxPendingBytes) {
      throw new ListError('LIST_OVERLOADED', 'too many bytes wait to be written', { outcome: 'notAppended' });
    }
    const waiting = known === undefined ? undefined : findWaiting(known, read.packet);
    this.#checkLimits(read, records, same, known, waiting);
    const lane = known ?? this.#createLane(read.identity);
    const operation = waiting ?? addUpsert(lane, read);
    operation.bytes += cost;
    operation.done.add(told, failed);
    this.#operationBytes += cost;

    const under = [attestationsInFlight(known, read.packet), operation.attestations];
    const before = countAttesters(same, under);
    for (const attestation of read.attestations) addAttestation(operation.attestations, attestation);
    const after = countAttesters(same, under);
    const threshold = this.#ports.threshold();
    const attesters = this.#ports.attesters();
    // Who knows that others may still attest waits for them: it spares an entry, and nobody is in that much of a hurry.
    const isEnough = attesters === Infinity && before < threshold && after >= threshold;
    const window = before < threshold ? this.#window : this.#lateWindow;
    if (window.waitMs === 0 || isEnough || after >= attesters) operation.ready = true;
    else if (waiting === undefined) window.add({ lane, operation });
    if (operation.ready) this.#pump(lane);
  }

  remove(identity: string, choose: RemoveOperation['choose']): Promise<number> {
    const lane = this.#lanes.get(identity) ?? this.#createLane(identity);
    for (const operation of lane.operations) if (operation.kind === 'upsert') operation.ready = true;
    const bytes = OPERATION_OVERHEAD_BYTES;
    const operation: RemoveOperation = { kind: 'remove', choose, ready: true, bytes, done: createDeferred() };
    this.#operationBytes += bytes;
    lane.operations.push(operation);
    this.#pump(lane);
    return operation.done.promise;
  }

  async expire(nowSeconds: number): Promise<number> {
    const choose = (records: readonly StoredRecord[]): readonly StoredRecord[] =>
      dispensable(records, this.#ports.threshold(), nowSeconds);
    let removed = 0;
    let failure: Error | undefined;
    let scanned = 0;
    let removals: Promise<void>[] = [];
    const finish = async (): Promise<void> => {
      await Promise.all(removals);
      removals = [];
      if (failure !== undefined) throw failure;
    };
    for (const identity of this.#ports.list.due(nowSeconds)) {
      const records = this.#ports.list.get(identity);
      if (choose(records).length > 0) {
        const removal = this.remove(identity, choose);
        removals.push(
          removal.then(
            (count) => void (removed += count),
            (error: Error) => void (failure ??= error),
          ),
        );
      }
      if (removals.length >= REMOVALS_AT_ONCE) await finish();
      scanned += records.length;
      if (scanned >= RECORDS_PER_TURN) {
        scanned = 0;
        await this.#turn();
      }
    }
    await finish();
    return removed;
  }

  async freeze(round: number): Promise<FrozenList> {
    this.#window.flush();
    this.#lateWindow.flush();
    const { promise, resolve, reject } = this.#track<FrozenList>();
    this.#gate.freeze(round, resolveFrozen, reject);
    return promise;

    function resolveFrozen(result: ListResult): void {
      if (result.kind === 'frozen') resolve({ round: result.round, index: result.index, view: result.view });
      else reject(ignoredError(result));
    }
  }

  /** See {@link EntryGate.hold}. */
  hold(): () => void {
    return this.#gate.hold();
  }

  /** Ends the term: every promise that has not settled is rejected. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#window.close();
    this.#lateWindow.close();
    for (const lane of this.#lanes.values()) {
      lane.current?.done.reject(lostError('unknownOutcome'));
      for (const operation of lane.operations) operation.done.reject(lostError('notAppended'));
    }
    for (const deferred of this.#waiting) deferred.reject(lostError('unknownOutcome'));
    this.#lanes.clear();
    this.#waiting.clear();
    this.#gate.end();
    this.#operationBytes = 0;
  }

  #checkLimits(
    read: ReadPacket,
    records: readonly StoredRecord[],
    same: readonly StoredRecord[],
    lane: Lane | undefined,
    waiting: UpsertOperation | undefined,
  ): void {
    const { maxAttestations } = this.#ports.list.limits;
    const all = waiting === undefined ? [read.attestations] : [waiting.attestations, read.attestations];
    if (countAttesters(same, all) > maxAttestations) {
      throw new ListError('LIST_TOO_MANY_ATTESTATIONS', 'a record holds as many attestations as it may', {
        maxAttestations,
      });
    }
    if (waiting !== undefined || same.length > 0) return;
    const { maxRecordsPerIdentity } = this.#ports;
    // Nearly always there are few, and no packet need be taken out of the list to see that.
    if (records.length + 1 + (lane?.operations.length ?? 0) < maxRecordsPerIdentity) return;
    const packets = packetsOf(records, lane);
    if (packets.length >= maxRecordsPerIdentity && !packets.some((packet) => sameBytes(packet, read.packet))) {
      throw new ListError('LIST_TOO_MANY_RECORDS', 'an identity has as many packets side by side as it may', {
        identity: read.identity,
        maxRecordsPerIdentity,
      });
    }
  }

  #createLane(identity: string): Lane {
    const lane: Lane = { identity, operations: [], current: undefined, busy: false, uncertain: false };
    this.#lanes.set(identity, lane);
    return lane;
  }

  /** Starts the next write of a lane that may start. */
  #pump(lane: Lane): void {
    while (!lane.busy && !this.#ended) {
      const at = lane.operations.findIndex(({ ready }) => ready);
      if (at < 0) {
        const isDone = lane.operations.length === 0 && !lane.uncertain;
        if (isDone && this.#lanes.get(lane.identity) === lane) this.#lanes.delete(lane.identity);
        return;
      }
      if (lane.uncertain) return this.#fence(lane);
      const operation = lane.operations.splice(at, 1)[0]!;
      if (operation.kind === 'upsert') this.#writeUpsert(lane, operation);
      else this.#writeRemoval(lane, operation);
    }
  }

  #writeUpsert(lane: Lane, operation: UpsertOperation): void {
    const records = this.#ports.list.get(lane.identity);
    const plan = planUpsert(records, recordsOf(records, operation), operation);
    if (plan.kind !== 'update') {
      this.#operationBytes -= operation.bytes;
      void Promise.resolve(plan).then((outcome) => operation.done.resolve(outcome));
      return;
    }
    const { original, duplicates, attestations } = plan;
    // A packet that comes complete takes the place of the older one in the same entry.
    const isComplete = attestations.length >= this.#ports.threshold();
    const older = isComplete ? records.findLast(({ expiration }) => expiration < operation.expiration) : undefined;
    const entry = { packet: operation.packet, attestations, ...namesOf(original ?? older) };
    this.#begin(lane, operation);
    this.#gate.propose(
      encodeEntry(entry),
      (result) => {
        if (result.kind !== 'inserted') {
          operation.done.reject(ignoredError(result));
          this.#end(lane, operation);
          return;
        }
        operation.done.resolve({ kind: 'written', record: result.record });
        const rest = this.#ports.list.get(lane.identity);
        const superseded = rest.length > 1 ? dispensable(rest, this.#ports.threshold(), -1) : [];
        this.#removeAll(lane, [...new Set([...duplicates, ...superseded])], () => this.#end(lane, operation));
      },
      (error) => {
        operation.done.reject(error);
        this.#fail(lane, error);
        this.#end(lane, operation);
      },
    );
  }

  #writeRemoval(lane: Lane, operation: RemoveOperation): void {
    this.#begin(lane, operation);
    const chosen = operation.choose(this.#ports.list.get(lane.identity));
    this.#removeAll(lane, chosen, (removed, error) => {
      if (error === undefined) operation.done.resolve(removed);
      else operation.done.reject(error);
      this.#end(lane, operation);
    });
  }

  /** Removes records of a busy lane, all at once: they are different originals. */
  #removeAll(
    lane: Lane,
    records: readonly StoredRecord[],
    done: (removed: number, error: ListError | undefined) => void,
  ): void {
    let open = records.length;
    let removed = 0;
    let failure: ListError | undefined;
    if (open === 0) return done(0, undefined);
    const settle = (): void => {
      if (--open === 0) done(removed, failure);
    };
    for (const record of records) {
      this.#gate.propose(
        encodeEntry(namesOf(record)),
        (result) => {
          if (result.kind === 'deleted') removed += result.records.length;
          settle();
        },
        (error) => {
          failure ??= error;
          this.#fail(lane, error);
          settle();
        },
      );
    }
  }

  /** Waits until an entry proposed now is applied: by then, whatever was proposed before is applied or never will be. */
  #fence(lane: Lane): void {
    lane.busy = true;
    this.#gate.propose(
      FENCE,
      () => {
        lane.uncertain = false;
        lane.busy = false;
        this.#pump(lane);
      },
      (error) => {
        lane.busy = false;
        const at = lane.operations.findIndex(({ ready }) => ready);
        for (const operation of lane.operations.splice(at, 1)) {
          this.#operationBytes -= operation.bytes;
          operation.done.reject(error);
        }
        this.#pump(lane);
      },
    );
  }

  #begin(lane: Lane, operation: Operation): void {
    lane.busy = true;
    lane.current = operation;
  }

  #end(lane: Lane, operation: Operation): void {
    this.#operationBytes -= operation.bytes;
    lane.busy = false;
    lane.current = undefined;
    this.#pump(lane);
  }

  #fail(lane: Lane, error: ListError): void {
    if (error.details.outcome === 'unknownOutcome') lane.uncertain = true;
  }

  /** A promise that the end of the term rejects. */
  #track<T>(): Deferred<T> {
    const deferred = createDeferred<T>();
    const tracked: Deferred<never> = { ...deferred, promise: deferred.promise as Promise<never> };
    this.#waiting.add(tracked);
    const forget = (): void => {
      this.#waiting.delete(tracked);
    };
    deferred.promise.then(forget, forget);
    return deferred;
  }

  /** Lets the event loop turn. */
  #turn(): Promise<void> {
    const { promise, resolve } = this.#track<undefined>();
    this.#ports.clock.defer(() => resolve(undefined));
    return promise;
  }
}
