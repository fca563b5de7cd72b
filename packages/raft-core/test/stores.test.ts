// Stores that are slow, or fail: at every kind of call, and in any order relative to everything else.
import { crc32 } from 'node:zlib';
import {
  EntryType,
  hasExistingState,
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  RaftError,
  seededRandom,
  SimulatedClock,
  type Configuration,
  type InstallSnapshotRequest,
  type RaftConfig,
  type RpcHandler,
  type SnapshotSink,
  type SnapshotStore,
  type Transport,
} from '../src/index.js';
import { encodeConfiguration } from '../src/core/configuration.js';
import { appendRequest, entriesOf, entry, snapshotRequest, voter, voteRequest } from './support/core-driver.js';
import { Disk, SlowLogStore, SlowStableStore } from './support/slow-stores.js';
import { TestCluster, TextMachine, type StoreWrapper } from './support/test-cluster.js';

const configuration: Configuration = { servers: ['a', 'b', 'c'].map(voter) };

/** One server without a network: the test is its peers. */
class LoneServer {
  readonly clock = new SimulatedClock();
  readonly logStore = new MemoryLogStore();
  readonly stableStore = new MemoryStableStore();
  readonly snapshotStore = new MemorySnapshotStore();
  readonly disk = new Disk();
  readonly machine = new TextMachine();
  handler: RpcHandler = () => Promise.reject(new Error('not started'));

  constructor() {
    this.disk.immediate = true;
  }

  start(snapshotStore: SnapshotStore = this.snapshotStore, config: Partial<RaftConfig> = {}): Promise<Raft<number>> {
    const transport: Transport = {
      localId: 'a',
      localAddress: 'address-of-a',
      send: () => new Promise(() => {}),
      setHandler: (handler) => {
        this.handler = handler;
      },
      close: async () => {},
    };
    return Raft.create<number>({
      id: 'a',
      address: 'address-of-a',
      transport,
      logStore: new SlowLogStore(this.logStore, this.disk),
      stableStore: new SlowStableStore(this.stableStore, this.disk),
      snapshotStore,
      stateMachine: this.machine,
      clock: this.clock,
      random: seededRandom(1),
      config,
    });
  }
}

async function errorOf(promise: Promise<unknown>): Promise<RaftError> {
  const error = await promise.then(
    () => new Error('it resolved'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof RaftError)) throw error;
  return error;
}

describe('starting from stores', () => {
  test.each(['load', 'read'])('a %s that fails is a RAFT_STORE_FAILED of create', async (call) => {
    for (const atOnce of [true, false]) {
      const server = new LoneServer();
      server.stableStore.save({ term: 1, votedFor: null });
      server.logStore.append([
        { ...entry(1, 1), type: EntryType.configuration, data: encodeConfiguration(configuration) },
      ]);
      server.disk.failures.set(call, new Error('bad sector'));
      server.disk.throwsAtOnce = atOnce;
      expect(await errorOf(server.start())).toMatchObject({
        code: 'RAFT_STORE_FAILED',
        cause: { message: 'bad sector' },
      });
    }
  });

  test('a snapshot store that fails is a RAFT_STORE_FAILED of create', async () => {
    const list = (): never => {
      throw new Error('bad directory');
    };
    const server = new LoneServer();
    const broken: SnapshotStore = { ...server.snapshotStore, list, create: list, open: list, close() {} };
    expect(await errorOf(server.start(broken))).toMatchObject({ code: 'RAFT_STORE_FAILED' });
    const state = hasExistingState(server.logStore, server.stableStore, broken);
    expect(await errorOf(state)).toMatchObject({ code: 'RAFT_STORE_FAILED' });
  });

  test('a log without the term that it was written in is corrupt: the server could vote twice', async () => {
    for (const saved of [null, { term: 2, votedFor: 'a' }]) {
      const server = new LoneServer();
      if (saved !== null) server.stableStore.save(saved);
      server.logStore.append(entriesOf([1, 3]));
      expect(await errorOf(server.start())).toMatchObject({ code: 'RAFT_STORE_CORRUPT' });
    }
  });

  test('a log with a hole before it and no snapshot is corrupt', async () => {
    const server = new LoneServer();
    server.stableStore.save({ term: 3, votedFor: null });
    server.logStore.reset(5);
    server.logStore.append(entriesOf([3], 5));
    expect(await errorOf(server.start())).toMatchObject({ code: 'RAFT_STORE_CORRUPT' });
  });

  test('entries out of order are corrupt', async () => {
    const server = new LoneServer();
    server.stableStore.save({ term: 9, votedFor: null });
    server.logStore.append(entriesOf([4, 3]));
    expect(await errorOf(server.start())).toMatchObject({ code: 'RAFT_STORE_CORRUPT' });
  });

  test('a log that a snapshot has overtaken is dropped: a crash came between the two', async () => {
    const server = new LoneServer();
    server.stableStore.save({ term: 3, votedFor: null });
    server.logStore.append(entriesOf([1, 1]));
    const sink = server.snapshotStore.create({ version: 1, index: 9, term: 3, configuration, configurationIndex: 1 });
    await sink.write(Buffer.from('["x"]'));
    await sink.close();
    const raft = await server.start();
    expect(raft).toMatchObject({ lastIndex: 9, commitIndex: 9, appliedIndex: 9 });
    expect([server.logStore.firstIndex, server.logStore.lastIndex, server.machine.lines]).toEqual([10, 9, ['x']]);
    await raft.shutdown();
  });
});

describe('bootstrap', () => {
  test('happens once', async () => {
    const server = new LoneServer();
    const raft = await server.start();
    const both = await Promise.allSettled([raft.bootstrap(configuration), raft.bootstrap(configuration)]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(await errorOf(raft.bootstrap(configuration))).toMatchObject({ code: 'RAFT_ALREADY_BOOTSTRAPPED' });
    expect(server.logStore.lastIndex).toBe(1);
    await raft.shutdown();
  });

  test.each(['save', 'append'])('tells of a %s that fails', async (call) => {
    const server = new LoneServer();
    const raft = await server.start();
    server.disk.failures.set(call, new Error('disk full'));
    expect(await errorOf(raft.bootstrap(configuration))).toMatchObject({ code: 'RAFT_STORE_FAILED' });
    await raft.shutdown();
    expect(await errorOf(raft.bootstrap(configuration))).toMatchObject({ code: 'RAFT_SHUTDOWN' });
  });

  test('refuses what no cluster can live with, and changes nothing', async () => {
    const server = new LoneServer();
    const raft = await server.start();
    expect(await errorOf(raft.bootstrap({ servers: [] }))).toMatchObject({ code: 'RAFT_INVALID_CONFIGURATION' });
    expect(server.stableStore.load()).toBeNull();
    await raft.shutdown();
  });

  test('does not overwrite a vote that is asked for meanwhile', async () => {
    const server = new LoneServer();
    const raft = await server.start();
    server.disk.immediate = false;
    server.disk.held = false;
    const bootstrapped = raft.bootstrap(configuration);
    const votes: Promise<unknown>[] = [];
    for (let i = 0; i < 12; i++) {
      const answer = server.handler(voteRequest('b', 2 + i, [1, 1]));
      votes.push(
        answer.then(
          (response) => ('granted' in response && response.granted ? 2 + i : 0),
          () => 0,
        ),
      );
      await Promise.resolve();
    }
    await server.clock.resolve(bootstrapped, 100);
    await server.clock.advance(10);
    const promised = Math.max(...(await Promise.all(votes)).map(Number));
    expect(server.stableStore.load()!.term).toBeGreaterThanOrEqual(promised);
    expect(raft.term).toBe(server.stableStore.load()!.term);
    await raft.shutdown();
  });

  test('a server that follows a leader already refuses it', async () => {
    const server = new LoneServer();
    const raft = await server.start();
    await server.clock.resolve(server.handler(appendRequest('b', 2, [0, 0], entriesOf([1]))), 10);
    expect(await errorOf(raft.bootstrap(configuration))).toMatchObject({ code: 'RAFT_ALREADY_BOOTSTRAPPED' });
    await raft.shutdown();
  });
});

describe('a store that fails at one kind of call', () => {
  const calls = ['save', 'append', 'truncateSuffix', 'truncatePrefix', 'reset', 'redact'] as const;

  test.each(calls)(
    '%s: the node stops with RAFT_STORE_FAILED, its peer gets no answer, and nothing is written after',
    async (call) => {
      const server = new LoneServer();
      server.stableStore.save({ term: 2, votedFor: null });
      const first = { ...entry(1, 1), type: EntryType.configuration, data: encodeConfiguration(configuration) };
      server.logStore.append([first, ...entriesOf([2, 2, 2], 2)]);
      const raft = await server.start(server.snapshotStore, { trailingLogs: 0 });
      server.disk.failures.set(call, new Error('disk full'));
      const commitAll = (): Promise<unknown> => server.handler(appendRequest('b', 2, [4, 2], [], 4));
      const provoke: Record<(typeof calls)[number], () => Promise<unknown>> = {
        save: () => server.handler(voteRequest('b', 9, [9, 9])),
        append: () => server.handler(appendRequest('b', 2, [4, 2], entriesOf([2], 5))),
        truncateSuffix: () => server.handler(appendRequest('b', 3, [2, 2], entriesOf([3], 3))),
        truncatePrefix: () => commitAll().then(() => raft.snapshot()),
        reset: () => server.handler(emptyState([3, 7])),
        redact: () => {
          server.machine.onApply = ({ index }, context) => context.redact(index - 1);
          return commitAll();
        },
      };
      const answer = provoke[call]().then(
        () => 'answered',
        (error: unknown) => (error as RaftError).code,
      );
      // What does not rest on the failed write may be answered.
      const expected = ['save', 'append', 'truncateSuffix'].includes(call) ? 'RAFT_SHUTDOWN' : 'answered';
      expect(await server.clock.resolve(answer, 1000)).toBe(expected);
      await server.clock.advance(20_000);
      expect(server.disk.calls.at(-1)).toBe(call);
      expect(raft).toMatchObject({ state: 'shutdown', failure: { code: 'RAFT_STORE_FAILED' } });
      await raft.shutdown();
    },
  );

  /** A snapshot of a text machine that has applied nothing. */
  const emptyState = ([lastLogIndex, lastLogTerm]: readonly [number, number]): InstallSnapshotRequest => {
    const chunk = Buffer.from('[]');
    return {
      ...snapshotRequest('b', 9, [lastLogIndex, lastLogTerm]),
      size: chunk.length,
      chunk,
      crc: crc32(chunk),
    };
  };
});

describe('a snapshot store that fails', () => {
  let cluster: TestCluster;
  const failing = new Set<string>();
  afterEach(() => cluster.shutdown());

  const wrap: StoreWrapper = (_, stores) => {
    const check = (call: string): void => {
      if (failing.has(call)) throw new Error(`no ${call}`);
    };
    const snapshotStore: SnapshotStore = {
      list: () => stores.snapshotStore.list(),
      open: (id) => {
        check('open');
        return stores.snapshotStore.open(id);
      },
      create: (meta): SnapshotSink => {
        check('create');
        const sink = stores.snapshotStore.create(meta);
        return {
          id: sink.id,
          get size() {
            return sink.size;
          },
          write: (chunk) => {
            check('write');
            return sink.write(chunk);
          },
          close: () => {
            check('close');
            return sink.close();
          },
          cancel: () => sink.cancel(),
        };
      },
      close() {},
    };
    return { ...stores, snapshotStore };
  };

  test.each(['create', 'write', 'close'])(
    '%s: the call is rejected, the node goes on, and the next one works',
    async (call) => {
      cluster = await TestCluster.start(1, { wrap });
      await cluster.apply('x');
      const { raft, snapshotStore } = await cluster.leader();
      failing.add(call);
      expect(await errorOf(raft.snapshot())).toMatchObject({ code: 'RAFT_SNAPSHOT_FAILED', retryable: true });
      expect(snapshotStore.list()).toEqual([]);
      failing.clear();
      await cluster.apply('y');
      expect((await raft.snapshot()).index).toBe(raft.appliedIndex);
      expect(await errorOf(raft.snapshot())).toMatchObject({ code: 'RAFT_NOTHING_NEW_TO_SNAPSHOT' });
    },
  );

  test.each(['create', 'write', 'close'])(
    '%s at a follower: it gets the snapshot once its store works',
    async (call) => {
      cluster = await TestCluster.start(3, { wrap, config: { trailingLogs: 0 } });
      const leader = await cluster.leader();
      const away = cluster.up.find(({ id }) => id !== leader.id)!;
      await cluster.stop(away.id);
      for (let i = 0; i < 10; i++) await cluster.apply(`line ${i}`);
      await leader.raft.snapshot();
      failing.add(call);
      await cluster.restart(away.id);
      await cluster.clock.advance(3000);
      expect(away.raft.appliedIndex).toBe(0);
      failing.clear();
      expect(await cluster.converge()).toHaveLength(10);
    },
  );

  test('open at the leader: the follower waits, the leader leads', async () => {
    cluster = await TestCluster.start(3, { wrap, config: { trailingLogs: 0 } });
    const leader = await cluster.leader();
    const away = cluster.up.find(({ id }) => id !== leader.id)!;
    await cluster.stop(away.id);
    for (let i = 0; i < 10; i++) await cluster.apply(`line ${i}`);
    await leader.raft.snapshot();
    failing.add('open');
    await cluster.restart(away.id);
    await cluster.clock.advance(3000);
    expect([away.raft.appliedIndex, leader.raft.state]).toEqual([0, 'leader']);
    failing.clear();
    expect(await cluster.converge()).toHaveLength(10);
  });
});

describe('stores that complete at any time', () => {
  // Each seed is another order of completions among messages, timers and proposals.
  test.each(Array.from({ length: 12 }, (_, i) => i + 1))('seed %i: nothing acknowledged is lost', async (seed) => {
    const random = seededRandom(seed);
    const disks: Disk[] = [];
    const cluster = await TestCluster.start(3, {
      seed,
      config: { logCacheBytes: 2000, outcomeGraceMs: 100 },
      wrap: (_, { logStore, stableStore, snapshotStore }) => {
        const disk = new Disk();
        disk.immediate = true;
        disks.push(disk);
        return {
          logStore: new SlowLogStore(logStore, disk),
          stableStore: new SlowStableStore(stableStore, disk),
          snapshotStore,
        };
      },
    });
    for (const disk of disks) disk.immediate = false;
    const churn = (): void => {
      for (const disk of disks) {
        // Reads may overtake one another and writes; the storage lane never has two writes under way.
        const writes = disk.waiting.filter(({ call }) => call !== 'read');
        expect(writes.length).toBeLessThanOrEqual(1);
        while (disk.waiting.length > 0 && random.next() < 0.6) {
          disk.waiting[Math.floor(random.next() * disk.waiting.length)]!.complete();
        }
      }
      cluster.clock.setTimer(random.next() < 0.1 ? 300 * random.next() : 5 * random.next(), churn);
    };
    churn();
    const acknowledged: string[] = [];
    let settled = 0;
    const count = 60;
    for (let i = 0; i < count; i++) {
      const leaders = cluster.up.filter(({ raft }) => raft.state === 'leader');
      const target = leaders[Math.floor(random.next() * leaders.length)] ?? cluster.up[i % 3]!;
      target.raft
        .apply(Buffer.from(`line ${i}`))
        .then(
          () => acknowledged.push(`line ${i}`),
          (error: unknown) => expect(error).toBeInstanceOf(RaftError),
        )
        .finally(() => settled++);
      if (random.next() < 0.08) {
        const victim = cluster.up[Math.floor(random.next() * 3)]!.id;
        cluster.network.isolate(victim);
        cluster.clock.setTimer(3000 * random.next(), () => cluster.network.heal());
      }
      await cluster.clock.advance(200 * random.next());
    }
    cluster.network.heal();
    await cluster.clock.advanceUntil(() => settled === count, 60_000);
    for (const { raft } of cluster.up) expect(raft.failure).toBeNull();
    const lines = await cluster.converge(60_000);
    expect(lines).toEqual(expect.arrayContaining(acknowledged));
    expect(new Set(lines).size).toBe(lines.length);
    await cluster.apply('the last line');
    expect((await cluster.converge(60_000)).at(-1)).toBe('the last line');
    for (const disk of disks) disk.held = false;
    for (const disk of disks) while (disk.waiting.length > 0) disk.waiting[0]!.complete();
    await cluster.shutdown();
  });
});
