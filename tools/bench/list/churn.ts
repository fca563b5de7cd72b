import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  RaftError,
  seededRandom,
  systemClock,
  type LogStore,
  type SnapshotStore,
  type StableStore,
  type Transport,
} from '@discovery-raft/raft-core';
import { ListWriter, SharedList, type ListResult } from '@discovery-raft/raft-log-list';
import { LmdbStore } from '@discovery-raft/raft-store-lmdb';
import { collectedHeapBytes } from '../heap.js';
import { attestation, packetOf, schema } from './items.js';

/** What a node holds after some updates, bytes. */
export interface Footprint {
  readonly updates: number;
  /** Of the live items, as the list counts them: the least that anybody needs for them. */
  readonly liveBytes: number;
  /** Of all that was written to the log so far: what a log that is never compacted would hold. */
  readonly appendedBytes: number;
  /** Of the log store: in use, and of its file; null in memory. */
  readonly usedBytes: number | null;
  readonly fileBytes: number | null;
  /** Of all finished snapshots together, and of the newest. */
  readonly snapshotBytes: number;
  /** Entries that the log holds, tombstones too. */
  readonly logEntries: number;
  /** Heap and buffers outside it, after a collection, above what there was before the node; snapshots in memory left out. */
  readonly memoryBytes: number;
}

/** What updates a list: a node alone, whose updates go through Raft into a log store. */
export interface ChurnPlan {
  readonly items: number;
  readonly store: 'memory' | 'lmdb';
  /** After how many updates to look, ascending; the last ends it. */
  readonly looks: readonly number[];
}

/** Updates that are under way together. */
const BATCH = 250;

/** There is nobody else. */
const transport: Transport = {
  localId: 'alone',
  localAddress: 'alone',
  send: () => Promise.reject(new RaftError('RAFT_TRANSPORT_FAILED', 'there is nobody else')),
  setHandler() {},
  close: () => Promise.resolve(),
};

interface Stores {
  readonly logStore: LogStore;
  readonly stableStore: StableStore;
  readonly snapshotStore: SnapshotStore;
}

/**
 * Updates items at random through a real node with the options that it has by default; the first item is never updated, so
 * that it would hold all tombstones behind it in a log that only loses its head.
 */
export async function churnList(plan: ChurnPlan): Promise<Footprint[]> {
  const before = collectedHeapBytes();
  if (plan.store === 'memory') {
    const snapshotStore = new MemorySnapshotStore();
    const stores = { logStore: new MemoryLogStore(), stableStore: new MemoryStableStore(), snapshotStore };
    return runNode(plan, stores, async () => {
      const snapshotBytes = await bytesOf(snapshotStore);
      return { usedBytes: null, fileBytes: null, snapshotBytes, ownBytes: before + snapshotBytes };
    });
  }
  const path = mkdtempSync(join(tmpdir(), 'list-bench-'));
  const store = await LmdbStore.open({ path });
  try {
    return await runNode(plan, store, () => {
      const { usedBytes, snapshotBytes } = store.stats();
      const fileBytes = statSync(join(path, 'data.mdb')).size;
      return Promise.resolve({ usedBytes, fileBytes, snapshotBytes, ownBytes: before });
    });
  } finally {
    await store.close();
    rmSync(path, { recursive: true });
  }
}

/** Waits while removals of what is superseded are under way. */
async function settled(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error('The list does not come to rest.');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function bytesOf(store: SnapshotStore): Promise<number> {
  return (await store.list()).reduce((sum, { size }) => sum + size, 0);
}

type Sizes = Pick<Footprint, 'usedBytes' | 'fileBytes' | 'snapshotBytes'> & { readonly ownBytes: number };

async function runNode(plan: ChurnPlan, stores: Stores, sizes: () => Promise<Sizes>): Promise<Footprint[]> {
  const list = new SharedList({ schema, sha256: (bytes) => hash('sha256', bytes, 'binary'), crc32 });
  const { logStore, stableStore, snapshotStore } = stores;
  const ports = { transport, logStore, stableStore, snapshotStore, stateMachine: list };
  const raft = await Raft.create<ListResult>({ id: 'alone', address: 'alone', ...ports });
  try {
    await raft.bootstrap({ servers: [{ suffrage: 'voter', id: 'alone', address: 'alone' }] });
    while (raft.state !== 'leader') await new Promise((resolve) => setTimeout(resolve, 10));
    await raft.barrier();
    let appendedBytes = 0;
    const propose = (data: Uint8Array): ReturnType<typeof raft.apply> => {
      appendedBytes += data.length;
      return raft.apply(data);
    };
    const writer = new ListWriter({ list, propose, clock: systemClock, attestationThreshold: 1, coalesceMs: 0 });
    writer.takeOver();
    const found: Footprint[] = [];
    const updates = updatesOf(plan.items);
    let done = 0;
    await updateAll(
      writer,
      Array.from({ length: plan.items }, (_, item) => packetOf(item, 1)),
    );
    for (const look of plan.looks) {
      for (; done < look; done += BATCH) await updateAll(writer, updates());
      await settled(() => list.size === plan.items);
      const { ownBytes, ...rest } = await sizes();
      const memoryBytes = collectedHeapBytes() - ownBytes;
      const logEntries = logStore.lastIndex - logStore.firstIndex + 1;
      found.push({ updates: done, liveBytes: list.liveBytes, appendedBytes, ...rest, logEntries, memoryBytes });
    }
    writer.stepDown();
    return found;
  } finally {
    await raft.shutdown();
  }
}

async function updateAll(writer: ListWriter, packets: readonly Uint8Array[]): Promise<void> {
  for (let i = 0; i < packets.length; i += BATCH) {
    await Promise.all(packets.slice(i, i + BATCH).map((packet) => writer.upsert(packet, attestation)));
  }
}

/** Makes newer packets of different items, a batch of them at random, but not of the first item. */
function updatesOf(items: number): () => Uint8Array[] {
  const random = seededRandom(1);
  const newest = new Uint32Array(items).fill(1);
  return () => {
    const chosen = new Set<number>();
    while (chosen.size < BATCH) chosen.add(1 + Math.floor(random.next() * (items - 1)));
    return [...chosen].map((item) => packetOf(item, ++newest[item]!));
  };
}
