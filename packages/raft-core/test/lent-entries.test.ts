// A state machine that keeps no bytes is shown what a store lends, and nothing else is.
import {
  EntryType,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  RaftError,
  seededRandom,
  SimulatedClock,
  type Clock,
  type LogEntry,
  type Transport,
} from '../src/index.js';
import { encodeConfiguration } from '../src/core/configuration.js';
import { voter } from './support/core-driver.js';
import { LendingLogStore } from './support/lending-log-store.js';
import { TextMachine } from './support/test-cluster.js';

const LINES = 9000;
const textOf = (index: number): string => `line ${index}`;

/** A server alone in its cluster, with a log of lines that it has yet to apply. */
class Restarting {
  readonly clock = new SimulatedClock();
  readonly logStore = new LendingLogStore();
  readonly machine: TextMachine & { keepsNoBytes?: boolean } = new TextMachine();
  /** Milliseconds that applying an entry takes. */
  entryMs = 0;

  constructor() {
    const configuration = encodeConfiguration({ servers: [voter('a')] });
    const line = (_: unknown, i: number): LogEntry => ({
      index: i + 2,
      term: 1,
      type: EntryType.command,
      data: Buffer.from(textOf(i + 2)),
    });
    this.logStore.append([
      { index: 1, term: 1, type: EntryType.configuration, data: configuration },
      ...Array.from({ length: LINES }, line),
    ]);
  }

  /** The clock, as it would go if applying took time. */
  #slow(): Clock {
    const { clock, machine } = this;
    return {
      now: () => clock.now() + machine.lines.length * this.entryMs,
      wallNow: () => clock.wallNow(),
      setTimer: (...args) => clock.setTimer(...args),
      defer: (run) => clock.defer(run),
    };
  }

  /** Starts, and waits until all is applied, or the server has failed. */
  async start(): Promise<Raft<number>> {
    const stableStore = new MemoryStableStore();
    stableStore.save({ term: 1, votedFor: 'a' });
    const transport: Transport = {
      localId: 'a',
      localAddress: 'a',
      send: () => new Promise(() => {}),
      setHandler() {},
      close: async () => {},
    };
    const raft = await Raft.create<number>({
      ...{ id: 'a', address: 'a', transport, logStore: this.logStore, stableStore },
      ...{ snapshotStore: new MemorySnapshotStore(), stateMachine: this.machine },
      ...{ clock: this.#slow(), random: seededRandom(1) },
    });
    await this.clock.advanceUntil(() => raft.failure !== null || raft.appliedIndex > LINES, 10_000);
    return raft;
  }
}

test('who keeps no bytes applies what is lent, in slices, and every walk ends', async () => {
  const server = new Restarting();
  server.machine.keepsNoBytes = true;
  const raft = await server.start();
  expect(server.machine.lines).toEqual(Array.from({ length: LINES }, (_, i) => textOf(i + 2)));
  expect(server.logStore.begun).toBeGreaterThan(1);
  expect(server.logStore.ended).toBe(server.logStore.begun);
  expect(raft.failure).toBeNull();
  await raft.shutdown();
});

test('who does not say so is shown entries that stay', async () => {
  const server = new Restarting();
  const kept: Uint8Array[] = [];
  server.machine.onApply = ({ data }) => kept.push(data);
  const raft = await server.start();
  expect(server.logStore.begun).toBe(0);
  expect(kept.map((data) => Buffer.from(data).toString())).toEqual(server.machine.lines);
  await raft.shutdown();
});

test.each([
  ['an error of the store', new Error('bad sector'), 'RAFT_STORE_FAILED'],
  ['damage', new RaftError('RAFT_STORE_CORRUPT', 'a block is damaged'), 'RAFT_STORE_CORRUPT'],
])('%s in the middle of a walk stops the server behind what it has applied', async (_, error, code) => {
  const server = new Restarting();
  server.machine.keepsNoBytes = true;
  server.logStore.onLend = (index) => {
    if (index === 5000) throw error;
  };
  const raft = await server.start();
  expect(raft.failure).toMatchObject({ code });
  expect(server.machine.lines).toHaveLength(4998);
  expect(server.logStore.ended).toBe(server.logStore.begun);
});

test('a state machine that throws is to blame itself, and gives back what it was lent', async () => {
  const server = new Restarting();
  server.machine.keepsNoBytes = true;
  server.machine.onApply = ({ index }) => {
    if (index === 5000) throw new Error('a bug');
  };
  const raft = await server.start();
  expect(raft.failure).toMatchObject({ code: 'RAFT_STATE_MACHINE_FAILED', cause: { message: 'a bug' } });
  expect(server.logStore.ended).toBe(server.logStore.begun);
});

/** Entries of each walk over the log. */
async function slicesOf(entryMs: number): Promise<number[]> {
  const server = new Restarting();
  server.machine.keepsNoBytes = true;
  server.entryMs = entryMs;
  const slices: number[] = [];
  const lend = server.logStore.lend.bind(server.logStore);
  server.logStore.lend = (from, to, maxBytes) => {
    slices.push(to + 1 - from);
    return lend(from, to, maxBytes);
  };
  await (await server.start()).shutdown();
  return slices;
}

test('a slice is as long as lets everything else have its turn soon: shorter where applying takes long, within bounds', async () => {
  expect((await slicesOf(0)).slice(0, 3)).toEqual([1024, 2048, 4096]);
  expect((await slicesOf(1)).slice(0, 3)).toEqual([1024, 512, 512]);
  expect((await slicesOf(1 / 80)).slice(0, 3)).toEqual([1024, 640, 640]);
});
