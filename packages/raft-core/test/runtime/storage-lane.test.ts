import type { LogWrite } from '../../src/core/effects.js';
import { EntryType, MemoryLogStore, MemoryStableStore, SimulatedClock } from '../../src/index.js';
import { StorageLane, type Persist } from '../../src/runtime/storage-lane.js';
import { entriesOf, entry } from '../support/core-driver.js';
import { Disk, SlowLogStore, SlowStableStore } from '../support/slow-stores.js';

let seq = 0;
function persist(log: readonly LogWrite[], term: number | null = null): Persist {
  const hardState = term === null ? null : { term, votedFor: 'a' };
  return { type: 'persist', seq: ++seq, hardState, log, logEpoch: 0, lastIndex: 0, then: [] };
}

const append = (index: number, term = 1): LogWrite => ({ op: 'append', entries: [entry(index, term)] });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const redact = (index: number): LogWrite => ({
  op: 'redact',
  tombstones: [{ index, term: 1, type: EntryType.tombstone, data: new Uint8Array(32) }],
});

describe('the storage lane', () => {
  const disk = new Disk();
  let logStore: MemoryLogStore;
  let stableStore: MemoryStableStore;
  let done: (readonly Persist[])[];
  let errors: unknown[];
  let clock: SimulatedClock;
  let lane: StorageLane;
  beforeEach(() => {
    clock = new SimulatedClock();
    disk.calls.length = 0;
    disk.waiting.length = 0;
    disk.failures.clear();
    logStore = new MemoryLogStore();
    stableStore = new MemoryStableStore();
    done = [];
    errors = [];
    lane = new StorageLane({
      logStore: new SlowLogStore(logStore, disk),
      stableStore: new SlowStableStore(stableStore, disk),
      clock,
      done: (writes) => done.push(writes),
      failed: (error) => errors.push(error),
    });
  });

  test('saves term and vote before the entries of the same write', async () => {
    lane.push(persist([append(1)], 5));
    expect(disk.calls).toEqual(['save']);
    disk.complete('save');
    await turn();
    expect(disk.calls).toEqual(['save', 'append']);
    expect(done).toEqual([]);
    disk.complete('append');
    await turn();
    expect(done).toHaveLength(1);
  });

  test('merges what comes while it writes: the newest term, and neighbouring appends as one', async () => {
    lane.push(persist([append(1)]));
    const queued = [
      persist([append(2)], 2),
      persist([append(3)], 3),
      persist([{ op: 'truncate', from: 3 }, append(3, 3)]),
      persist([append(4, 3)]),
    ];
    for (const write of queued) lane.push(write);
    const order = ['append', 'save', 'append', 'truncateSuffix', 'append'];
    for (const call of order) {
      disk.complete(call);
      await turn();
    }
    expect(disk.calls).toEqual(order);
    expect(done.map((writes) => writes.length)).toEqual([1, 4]);
    expect(done[1]).toEqual(queued);
    expect(stableStore.load()).toEqual({ term: 3, votedFor: 'a' });
    expect(logStore.read(1, 4, 1e9)).toEqual([...entriesOf([1, 1]), entry(3, 3), entry(4, 3)]);
  });

  test('redactions go with the last append into one write, behind what cuts the log', async () => {
    lane.push(persist([append(1), append(2), append(3)]));
    const queued = [
      [redact(1), append(4)],
      [{ op: 'compact', through: 1 } as const, append(5), redact(5)],
      [redact(2)],
    ];
    for (const log of queued) lane.push(persist(log));
    for (const call of ['append', 'append', 'truncatePrefix', 'appendAndRedact']) {
      disk.complete(call);
      await turn();
    }
    lane.push(persist([redact(3)]));
    const idle = lane.idle();
    disk.complete('redact');
    await idle;
    expect(disk.calls).toEqual(['append', 'append', 'truncatePrefix', 'appendAndRedact', 'redact']);
    const types = logStore.read(2, 5, 1e9).map(({ type }) => type);
    const { tombstone, command } = EntryType;
    expect(types).toEqual([tombstone, tombstone, command, tombstone]);
  });

  test('redactions wait for the next append, so that both are one write, and not for ever', async () => {
    lane.push(persist([append(1), append(2)]));
    lane.push(persist([redact(1)]));
    disk.complete('append');
    await turn();
    expect(disk.calls).toEqual(['append']);
    lane.push(persist([append(3)]));
    expect(disk.calls).toEqual(['append', 'appendAndRedact']);
    disk.complete('appendAndRedact');
    await turn();
    lane.push(persist([redact(2)]));
    lane.push(persist([redact(3)]));
    await clock.advance(99);
    expect(disk.calls).toHaveLength(2);
    await clock.advance(1);
    expect(disk.calls).toEqual(['append', 'appendAndRedact', 'redact']);
    disk.complete('redact');
    await turn();
    // What term and vote wait for is written at once.
    lane.push(persist([redact(1)], 2));
    expect(disk.calls.at(-1)).toBe('save');
    expect(errors).toEqual([]);
  });

  test('writes nothing after a failure, neither what waited nor what comes', async () => {
    lane.push(persist([append(1)]));
    lane.push(persist([append(2)]));
    disk.waiting[0]!.fail(new Error('disk full'));
    await turn();
    lane.push(persist([append(1)], 9));
    await turn();
    expect(disk.calls).toEqual(['append']);
    expect(errors).toEqual([new Error('disk full')]);
    expect(done).toEqual([]);
    await lane.idle();
  });

  test('is idle when the last write has completed', async () => {
    lane.push(persist([append(1)]));
    lane.push(persist([append(2)]));
    let idle = false;
    const waited = lane.idle().then(() => (idle = true));
    disk.complete('append');
    await turn();
    expect(idle).toBe(false);
    disk.complete('append');
    await waited;
    expect(done).toHaveLength(2);
  });

  test('what comes while a write is being reported waits, however much it is', async () => {
    const more = [persist([append(2)]), persist([append(3)])];
    const slow = new StorageLane({
      logStore: new SlowLogStore(logStore, disk),
      stableStore: new SlowStableStore(stableStore, disk),
      clock,
      done: () => {
        for (const write of more.splice(0)) slow.push(write);
      },
      failed: (error) => errors.push(error),
    });
    slow.push(persist([append(1)]));
    disk.complete('append');
    await turn();
    expect(disk.waiting).toHaveLength(1);
    disk.complete('append');
    await slow.idle();
    expect(logStore.read(1, 3, 1e9)).toEqual(entriesOf([1, 1, 1]));
    expect(errors).toEqual([]);
  });

  test('what comes while a write that took no time is being reported waits, too', async () => {
    const more = [persist([append(1)]), persist([append(2)])];
    const slow = new StorageLane({
      logStore: new SlowLogStore(logStore, disk),
      stableStore,
      clock,
      done: () => {
        for (const write of more.splice(0)) slow.push(write);
      },
      failed: (error) => errors.push(error),
    });
    slow.push(persist([], 1));
    expect(disk.waiting).toHaveLength(1);
    disk.complete('append');
    await slow.idle();
    expect(logStore.read(1, 2, 1e9)).toEqual(entriesOf([1, 1]));
  });
});
