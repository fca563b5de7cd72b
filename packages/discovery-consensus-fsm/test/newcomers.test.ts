import type { ListedRecord, ListedView } from '../src/ports.js';
import type { Context } from '../src/runtime/context.js';
import { Newcomers } from '../src/runtime/newcomers.js';

const PER_TURN = 10;
const SELF = 'self';
const NOW = 1000;

/** A record that has left the list. */
function gone(attesters: readonly string[], expiration = NOW + 1): ListedRecord {
  return { isLive: false, attesters, expiration } as ListedRecord;
}

function listed(identities: number): { records: readonly ListedRecord[]; view: ListedView; wasWalked: () => boolean } {
  const records = Array.from({ length: identities }, () => ({ isLive: true }) as ListedRecord);
  let wasWalked = false;
  const entries = (): Iterable<ListedRecord> => {
    return {
      *[Symbol.iterator]() {
        wasWalked = true;
        yield* records;
      },
    };
  };
  return { records, view: { size: identities, entries } as ListedView, wasWalked: () => wasWalked };
}

function newcomers() {
  const timers: (() => void)[] = [];
  const seen: ListedRecord[] = [];
  let turns: (() => void)[] = [];
  const context = {
    config: { recordsPerSlice: 8 * PER_TURN },
    ports: { yieldNow: () => new Promise<void>((resolve) => turns.push(resolve)) },
    self: SELF,
    time: { wallNow: () => NOW, setTimer: (_seconds: number, due: () => void) => void timers.push(due) },
  };
  /** Lets everything have its turn. */
  const turn = async (): Promise<void> => {
    const due = turns;
    turns = [];
    for (const go of due) go();
    await Promise.resolve();
    await Promise.resolve();
  };
  return { newcomers: new Newcomers(context as unknown as Context, (record) => seen.push(record)), seen, timers, turn };
}

describe('newcomers', () => {
  test('of a whole list are left alone for a moment, not even put in order, and then looked at a turn at a time', async () => {
    const { records, view, wasWalked } = listed(25);
    const { newcomers: late, seen, timers, turn } = newcomers();
    late.addAll(view);
    expect(late.pending).toBe(25);
    await turn();
    expect(timers).toHaveLength(1);
    expect(wasWalked()).toBe(false);
    await turn();
    expect(seen).toEqual([]);
    timers[0]!();
    expect(seen).toHaveLength(PER_TURN);
    expect(late.pending).toBe(25 - PER_TURN);
    await turn();
    await turn();
    expect(seen).toEqual(records);
    expect(late.pending).toBe(0);
    expect(timers).toHaveLength(1);
  });

  test('of a small list are looked at in the next turn', async () => {
    const { records, view } = listed(PER_TURN);
    const { newcomers: late, seen, timers, turn } = newcomers();
    late.addAll(view);
    expect(seen).toEqual([]);
    await turn();
    expect(seen).toEqual(records);
    expect(timers).toEqual([]);
  });

  test('that come first may be the begin of a log that is replayed, and wait a turn', async () => {
    const { records } = listed(2 * PER_TURN);
    const { newcomers: late, seen, timers, turn } = newcomers();
    for (const record of records) late.add(record);
    await turn();
    expect(seen).toEqual([]);
    expect(timers).toHaveLength(1);
  });

  test('of which few come are looked at as they come, once there was a turn', async () => {
    const { records } = listed(3);
    const { newcomers: late, seen, turn } = newcomers();
    late.add(records[0]!);
    expect(seen).toEqual([]);
    await turn();
    expect(seen).toHaveLength(1);
    late.add(records[1]!);
    late.add(records[2]!);
    expect(seen).toEqual(records);
  });

  test('are counted until they are looked at, whichever way they came', async () => {
    const { records, view } = listed(3 * PER_TURN);
    const { newcomers: late, seen, timers, turn } = newcomers();
    for (const record of records) late.add(record);
    expect(late.pending).toBe(3 * PER_TURN);
    late.addAll(view);
    expect(late.pending).toBe(3 * PER_TURN);
    late.add(gone(['other']));
    expect(late.pending).toBe(3 * PER_TURN + 1);
    await turn();
    timers[0]!();
    while (late.pending > 0) await turn();
    expect(seen).toHaveLength(3 * PER_TURN);
    late.addAll(view);
    late.close();
    expect(late.pending).toBe(0);
  });

  test('that have left by the time they are looked at count when this node attested them and they hold on', async () => {
    const { newcomers: late, seen, turn } = newcomers();
    const own = gone(['other', SELF]);
    for (const record of [gone(['other']), own, gone([SELF], NOW)]) late.add(record);
    await turn();
    expect(seen).toEqual([own]);
    expect(late.pending).toBe(0);
  });
});
