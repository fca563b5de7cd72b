import type { HardState, LogEntry, SnapshotMeta } from '@discovery-raft/raft-core';
import type { LmdbStore } from '../../src/index.js';
import { bytesOf, entriesOf, stoneOf, type Operation } from '../fixtures/operations.js';

/** What a store should hold; immutable. */
export interface StoreModel {
  readonly firstIndex: number;
  readonly entries: readonly LogEntry[];
  readonly hardState: HardState | null;
  /** Newest first. */
  readonly snapshots: readonly { readonly index: number; readonly term: number; readonly data: Uint8Array }[];
}

export const EMPTY_MODEL: StoreModel = { firstIndex: 1, entries: [], hardState: null, snapshots: [] };

/** Snapshots that a store keeps by default. */
const RETAINED = 2;

/** What a store should hold after an operation. */
export function after(model: StoreModel, operation: Operation): StoreModel {
  const { firstIndex, entries } = model;
  switch (operation.op) {
    case 'append':
      return { ...model, entries: [...entries, ...entriesOf(operation)] };
    case 'truncateSuffix':
      return { ...model, entries: entries.slice(0, Math.max(0, operation.from - firstIndex)) };
    case 'truncatePrefix': {
      const gone = Math.max(0, Math.min(operation.through - firstIndex + 1, entries.length));
      return { ...model, firstIndex: firstIndex + gone, entries: entries.slice(gone) };
    }
    case 'reset':
      return { ...model, firstIndex: operation.nextIndex, entries: [] };
    case 'redact':
      return { ...model, entries: redacted(entries, operation.stones) };
    case 'appendAndRedact':
      return { ...model, entries: redacted([...entries, ...entriesOf(operation.append)], operation.stones) };
    case 'save':
      return { ...model, hardState: operation.state };
    case 'snapshot': {
      const { index, term, bytes, salt } = operation;
      const all = [{ index, term, data: bytesOf(bytes, salt) }, ...model.snapshots];
      all.sort((a, b) => b.index - a.index || b.term - a.term);
      return { ...model, snapshots: all.slice(0, RETAINED) };
    }
  }
}

function redacted(
  entries: readonly LogEntry[],
  tombstones: readonly (readonly [index: number, term: number])[],
): readonly LogEntry[] {
  const stones = new Map(tombstones.map(([index, term]) => [index, stoneOf(index, term)]));
  return entries.map((entry) => stones.get(entry.index) ?? entry);
}

/** What a store does hold. */
export async function contentsOf(store: LmdbStore): Promise<StoreModel> {
  const { logStore, stableStore, snapshotStore } = store;
  const entries: LogEntry[] = [];
  while (logStore.firstIndex + entries.length <= logStore.lastIndex) {
    entries.push(...(await logStore.read(logStore.firstIndex + entries.length, logStore.lastIndex, 1 << 20)));
  }
  const metas = await snapshotStore.list();
  const snapshots = [];
  for (const meta of metas) snapshots.push({ index: meta.index, term: meta.term, data: await stateOf(store, meta) });
  return { firstIndex: logStore.firstIndex, entries, hardState: await stableStore.load(), snapshots };
}

async function stateOf(store: LmdbStore, meta: SnapshotMeta): Promise<Uint8Array> {
  const source = await store.snapshotStore.open(meta.id);
  const data = await source.read(0, meta.size);
  await source.close();
  return data;
}

/** Whether two models are the same; far faster than Jest's own comparison. */
export function sameContents(a: StoreModel, b: StoreModel): boolean {
  const sameBytes = (x: Uint8Array, y: Uint8Array): boolean => Buffer.compare(x, y) === 0;
  const none = new Uint8Array(0);
  return (
    a.firstIndex === b.firstIndex &&
    a.hardState?.term === b.hardState?.term &&
    a.hardState?.votedFor === b.hardState?.votedFor &&
    a.entries.length === b.entries.length &&
    a.entries.every((x, i) => {
      const y = b.entries[i]!;
      const head = x.index === y.index && x.term === y.term && x.type === y.type && x.appendedAtMs === y.appendedAtMs;
      return head && sameBytes(x.data, y.data) && sameBytes(x.extensions ?? none, y.extensions ?? none);
    }) &&
    a.snapshots.length === b.snapshots.length &&
    a.snapshots.every((x, i) => {
      const y = b.snapshots[i]!;
      return x.index === y.index && x.term === y.term && sameBytes(x.data, y.data);
    })
  );
}
