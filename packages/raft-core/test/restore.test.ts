// A user's restore: the state of the whole cluster is replaced, or nothing has changed.
import { EntryType, type LogStore, type RaftError, type SnapshotBytes } from '../src/index.js';
import { CoreDriver } from './support/core-driver.js';
import { holdSnapshotCall } from './support/slow-stores.js';
import { TestCluster, type TestServer } from './support/test-cluster.js';

let cluster: TestCluster;
afterEach(() => cluster?.shutdown());

async function settledCluster(config = {}, n = 3): Promise<TestServer> {
  cluster = await TestCluster.start(n, { config });
  for (const line of ['old-1', 'old-2', 'old-3']) await cluster.apply(line);
  await cluster.converge();
  return cluster.leader();
}

/** A state of the test's machine, as its snapshot would write it, in two pieces. */
function state(lines: string[]): { meta: { version: number; index: number; size: number }; bytes: SnapshotBytes } {
  const all = Buffer.from(JSON.stringify(lines));
  async function* bytes(): SnapshotBytes {
    yield all.subarray(0, 3);
    yield all.subarray(3);
  }
  return { meta: { version: 1, index: 2, size: all.length }, bytes: bytes() };
}

function errorOf(promise: Promise<unknown>): Promise<RaftError> {
  return promise.then(
    () => {
      throw new Error('it resolved');
    },
    (error: unknown) => error as RaftError,
  );
}

test('every server takes the state, and goes on from it', async () => {
  const leader = await settledCluster();
  const before = leader.raft.lastIndex;
  const { meta, bytes } = state(['new-1', 'new-2']);
  const index = await cluster.clock.resolve(leader.raft.restore(meta, bytes), 5000);
  expect(index).toBeGreaterThan(before + 1);
  expect(leader.machine.lines).toEqual(['new-1', 'new-2']);
  await cluster.apply('after', leader);
  expect(await cluster.converge()).toEqual(['new-1', 'new-2', 'after']);
  expect(leader.raft.state).toBe('leader');
  expect(leader.logStore.firstIndex).toBe(before + 2);
});

test('a description with a higher index lifts the log above it', async () => {
  const leader = await settledCluster();
  const { meta, bytes } = state(['x']);
  const index = await cluster.clock.resolve(leader.raft.restore({ ...meta, index: 1000 }, bytes), 5000);
  expect(index).toBeGreaterThan(1001);
  expect(await cluster.converge()).toEqual(['x']);
});

test('all servers start again with the restored state', async () => {
  const leader = await settledCluster();
  const { meta, bytes } = state(['new']);
  await cluster.clock.resolve(leader.raft.restore(meta, bytes), 5000);
  await cluster.converge();
  for (const { id } of cluster.up) await cluster.stop(id);
  for (const id of ['a', 'b', 'c']) await cluster.restart(id);
  await cluster.apply('after');
  expect(await cluster.converge()).toEqual(['new', 'after']);
});

test('what was proposed before is settled first, what is proposed meanwhile is refused', async () => {
  const leader = await settledCluster();
  const early = leader.raft.apply(Buffer.from('early'));
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  async function* slow(): SnapshotBytes {
    await gate;
    yield Buffer.from('["new"]');
  }
  await Promise.resolve();
  await cluster.clock.advance(0);
  const restoring = leader.raft.restore({ version: 1, index: 0, size: 7 }, slow());
  expect((await cluster.clock.resolve(early, 1000)).response).toBe(4);
  await cluster.clock.advance(100);
  const late = await errorOf(cluster.clock.resolve(leader.raft.apply(Buffer.from('late')), 1000));
  expect(late).toMatchObject({
    code: 'RAFT_RESTORE_IN_PROGRESS',
    retryable: true,
    details: { outcome: 'notAppended' },
  });
  expect((await errorOf(leader.raft.restore(state([]).meta, state([]).bytes))).code).toBe('RAFT_RESTORE_IN_PROGRESS');
  expect((await errorOf(leader.raft.leadershipTransfer())).code).toBe('RAFT_RESTORE_IN_PROGRESS');
  // A change of the membership waits for its turn.
  const added = leader.raft.addNonvoter('x', 'address-of-x');
  await cluster.clock.advance(2000);
  expect(leader.raft.getConfiguration().configuration.servers).toHaveLength(3);
  release();
  await cluster.clock.resolve(restoring, 5000);
  await cluster.clock.resolve(added, 5000);
  expect(leader.machine.lines).toEqual(['new']);
});

test('who asked hears when the node stops, though the bytes never come to an end', async () => {
  const leader = await settledCluster();
  async function* endless(): SnapshotBytes {
    yield Buffer.from('[');
    await new Promise(() => undefined);
  }
  const refused = errorOf(leader.raft.restore({ version: 1, index: 2, size: 10 }, endless()));
  await cluster.clock.advance(100);
  await leader.raft.shutdown();
  await expect(refused).resolves.toMatchObject({ code: 'RAFT_SHUTDOWN' });
});

/** Makes a call of a store or state machine wait. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open };
}

describe('shutdown waits for what the restore has under way at its store, and begins nothing more', () => {
  test.each(['create', 'write', 'close'] as const)('%s', async (call) => {
    const leader = await settledCluster();
    const { calls, open } = holdSnapshotCall(leader.snapshotStore, call);
    const { meta } = state(['new']);
    async function* bytes(): SnapshotBytes {
      yield Buffer.from(JSON.stringify(['new']));
      if (call === 'write') await new Promise(() => undefined);
    }
    const refused = errorOf(leader.raft.restore(meta, bytes()));
    await cluster.clock.advanceUntil(() => calls.includes(`${call} begins`), 1000);
    let down = false;
    const shutdown = leader.raft.shutdown().then(() => (down = true));
    await expect(refused).resolves.toMatchObject({ code: 'RAFT_SHUTDOWN', details: { outcome: 'unknownOutcome' } });
    await cluster.clock.advance(1000);
    expect(down).toBe(false);
    open();
    await shutdown;
    const last = [`${call} begins`, `${call} ends`, ...(call === 'close' ? [] : ['cancelled'])];
    expect(calls.slice(-last.length)).toEqual(last);
    const made = calls.length;
    await cluster.clock.advance(1000);
    expect(calls).toHaveLength(made);
  });
});

test('once the state is stored the outcome is unknown, whatever became of the barrier behind it', async () => {
  const leader = await settledCluster();
  const held = gate();
  const restore = leader.machine.restore.bind(leader.machine);
  jest.spyOn(leader.machine, 'restore').mockImplementation(async (bytes) => {
    await held.passed;
    await restore(bytes);
  });
  const { meta, bytes } = state(['new']);
  const failed = errorOf(leader.raft.restore(meta, bytes));
  await cluster.clock.advanceUntil(() => leader.snapshotStore.list().length > 0, 1000);
  // Nobody hears it until it has given up leading: then no barrier is appended at all.
  cluster.network.isolate(leader.id);
  await cluster.clock.advanceUntil(() => leader.raft.state !== 'leader', 10_000);
  held.open();
  await cluster.clock.advance(10);
  expect(await failed).toMatchObject({ code: 'RAFT_NOT_LEADER', details: { outcome: 'unknownOutcome' } });
});

test('a node that has stored the state and cannot take it stops: its log must not use that index', async () => {
  const leader = await settledCluster();
  jest.spyOn(leader.snapshotStore, 'open').mockImplementationOnce(() => {
    throw new Error('the disk cannot be read');
  });
  const { meta, bytes } = state(['new']);
  const error = await errorOf(cluster.clock.resolve(leader.raft.restore(meta, bytes), 5000));
  expect(error).toMatchObject({ code: 'RAFT_STATE_MACHINE_FAILED', details: { outcome: 'unknownOutcome' } });
  await cluster.clock.advance(0);
  expect(leader.snapshotStore.list()).toHaveLength(1);
  expect(leader.raft.state).toBe('shutdown');
  expect(leader.raft.failure).toBe(error);
  leader.up = false;
  await cluster.apply('after');
  expect((await cluster.leader()).machine.lines).toEqual(['old-1', 'old-2', 'old-3', 'after']);
});

test('a leader whose disk stands still steps down, though a restore is under way', async () => {
  const leader = await settledCluster();
  const held = gate();
  const store: LogStore = leader.logStore;
  const append = store.append.bind(store);
  jest.spyOn(store, 'append').mockImplementation((entries) => held.passed.then(() => append(entries)));
  const written = leader.raft.apply(Buffer.from('x'));
  const { bytes, meta } = state(['new']);
  const tape = gate();
  async function* slow(): SnapshotBytes {
    await tape.passed;
    yield* bytes;
  }
  await cluster.clock.resolve(written, 1000);
  const failed = errorOf(leader.raft.restore(meta, slow()));
  await cluster.clock.advanceUntil(() => leader.raft.state !== 'leader', 10_000);
  tape.open();
  held.open();
  await cluster.clock.advance(10);
  expect(await failed).toMatchObject({ code: 'RAFT_LEADERSHIP_LOST', details: { outcome: 'notAppended' } });
});

test('only the leader restores', async () => {
  const leader = await settledCluster();
  const follower = cluster.up.find(({ id }) => id !== leader.id)!;
  const { meta, bytes } = state(['x']);
  expect(await errorOf(follower.raft.restore(meta, bytes))).toMatchObject({
    code: 'RAFT_NOT_LEADER',
    details: { leaderId: leader.id },
  });
  await follower.raft.shutdown();
  expect((await errorOf(follower.raft.restore(meta, bytes))).code).toBe('RAFT_SHUTDOWN');
});

describe('nothing has changed', () => {
  async function* failing(): SnapshotBytes {
    yield Buffer.from('["ne');
    throw new Error('the tape is torn');
  }
  const aborted = AbortSignal.abort();
  const cases: [string, SnapshotBytes, number, AbortSignal | undefined, string][] = [
    ['when the stream fails', failing(), 7, undefined, 'RAFT_SNAPSHOT_FAILED'],
    ['when there are fewer bytes than described', state(['new']).bytes, 8, undefined, 'RAFT_SNAPSHOT_FAILED'],
    ['when there are more', state(['new']).bytes, 6, undefined, 'RAFT_SNAPSHOT_FAILED'],
    ['when the caller aborts', state(['new']).bytes, 7, aborted, 'RAFT_ABORTED'],
  ];
  test.each(cases)('%s', async (_, bytes, size, signal, code) => {
    const leader = await settledCluster();
    const call = leader.raft.restore({ version: 1, index: 0, size }, bytes, signal ? { signal } : {});
    expect(await errorOf(cluster.clock.resolve(call, 5000))).toMatchObject({
      code,
      details: { outcome: 'notAppended' },
    });
    await cluster.apply('after', leader);
    expect(await cluster.converge()).toEqual(['old-1', 'old-2', 'old-3', 'after']);
    expect(leader.snapshotStore.list()).toEqual([]);
  });

  test.each(['the caller aborts', 'leadership is lost'])(
    'when %s, though the bytes do not come to an end',
    async (why) => {
      const leader = await settledCluster();
      const left = gate();
      async function* stalls(): SnapshotBytes {
        yield Buffer.from('["ne');
        await left.passed;
        throw new Error('nobody hears this');
      }
      const abort = new AbortController();
      const failed = errorOf(
        leader.raft.restore({ version: 1, index: 0, size: 7 }, stalls(), { signal: abort.signal }),
      );
      await cluster.clock.advance(50);
      if (why === 'the caller aborts') abort.abort();
      else cluster.network.isolate(leader.id);
      const code = why === 'the caller aborts' ? 'RAFT_ABORTED' : 'RAFT_LEADERSHIP_LOST';
      expect(await cluster.clock.resolve(failed, 5000)).toMatchObject({ code, details: { outcome: 'notAppended' } });
      left.open();
      cluster.network.heal();
      await cluster.apply('after');
      expect(await cluster.converge()).toEqual(['old-1', 'old-2', 'old-3', 'after']);
      expect(leader.snapshotStore.list()).toEqual([]);
    },
  );

  test.each([
    ['index', NaN],
    ['index', -1],
    ['index', 0.5],
    ['index', Number.MAX_SAFE_INTEGER],
    ['size', NaN],
    ['version', undefined],
    ['version', 0],
  ])('when the description has %s %p', async (name, value) => {
    const leader = await settledCluster();
    const { meta, bytes } = state(['new']);
    const call = leader.raft.restore({ ...meta, [name]: value }, bytes);
    expect(await errorOf(cluster.clock.resolve(call, 5000))).toMatchObject({
      code: 'RAFT_INVALID_OPTION',
      details: { outcome: 'notAppended', option: `meta.${name}` },
    });
    await cluster.apply('after', leader);
  });

  test('when leadership is lost before', async () => {
    const leader = await settledCluster();
    cluster.network.isolate(leader.id);
    const { meta, bytes } = state(['new']);
    const failed = errorOf(leader.raft.restore(meta, bytes));
    await cluster.clock.advance(10_000);
    expect(await failed).toMatchObject({ code: 'RAFT_LEADERSHIP_LOST', details: { outcome: 'notAppended' } });
    cluster.network.heal();
    await cluster.apply('after');
    expect(await cluster.converge()).toEqual(['old-1', 'old-2', 'old-3', 'after']);
  });

  test('when leadership is lost while an entry before it waits', async () => {
    const leader = await settledCluster();
    cluster.network.filter = (_, __, message) => message.kind !== 'appendEntries' || message.entries.length === 0;
    leader.raft.apply(Buffer.from('stuck')).catch(() => undefined);
    await cluster.clock.advance(5);
    const { meta, bytes } = state(['new']);
    const failed = errorOf(leader.raft.restore(meta, bytes));
    await cluster.clock.advance(100);
    cluster.network.isolate(leader.id);
    await cluster.clock.advance(5000);
    expect((await failed).code).toBe('RAFT_LEADERSHIP_LOST');
  });
});

test('reads wait until a quorum has the new state', async () => {
  const leader = await settledCluster();
  cluster.network.filter = (_, __, message) => message.kind !== 'installSnapshot';
  const { meta, bytes } = state(['new']);
  const restoring = leader.raft.restore(meta, bytes);
  await cluster.clock.advance(200);
  expect(leader.machine.lines).toEqual(['new']);
  let read = false;
  const reading = leader.raft.readIndex().then(() => (read = true));
  await cluster.clock.advance(300);
  expect(read).toBe(false);
  cluster.network.filter = () => true;
  await cluster.clock.resolve(restoring, 20_000);
  await cluster.clock.resolve(reading, 1000);
  expect(read).toBe(true);
});

test('a snapshot that was being sent is sent no further, though the follower is slow to answer the last chunk', async () => {
  const leader = await settledCluster({ trailingLogs: 0, snapshotChunkBytes: 10 });
  const away = cluster.up.find(({ id }) => id !== leader.id)!;
  await cluster.stop(away.id);
  for (let i = 0; i < 100; i++) await cluster.apply(`line ${i}`);
  await leader.raft.snapshot();
  const create = away.snapshotStore.create.bind(away.snapshotStore);
  jest.spyOn(away.snapshotStore, 'create').mockImplementation((meta) => {
    const sink = create(meta);
    const write = (chunk: Uint8Array): Promise<void> =>
      new Promise((resolve) => cluster.clock.setTimer(20, () => resolve(sink.write(chunk))));
    return {
      id: sink.id,
      get size() {
        return sink.size;
      },
      write,
      close: () => sink.close(),
      cancel: () => sink.cancel(),
    };
  });
  await cluster.restart(away.id);
  const chunks = (): number =>
    cluster.network.delivered.filter(({ to, message }) => to === away.id && message.kind === 'installSnapshot').length;
  await cluster.clock.advanceUntil(() => chunks() > 5, 5000);
  const { meta, bytes } = state(['a long line '.repeat(20)]);
  const before = chunks();
  await cluster.clock.resolve(leader.raft.restore(meta, bytes), 5000);
  expect(await cluster.converge()).toHaveLength(1);
  // What it takes, and what was under way.
  expect(chunks() - before).toBeLessThan(meta.size / 10 + 10);
});

test('a server whose restored state the cluster never got stops instead of going on with it', async () => {
  const leader = await settledCluster();
  cluster.network.filter = (_, __, message) => message.kind !== 'installSnapshot';
  const { meta, bytes } = state(['new']);
  const restoring = errorOf(leader.raft.restore(meta, bytes));
  await cluster.clock.advanceUntil(() => leader.machine.lines.includes('new'), 1000);
  cluster.network.isolate(leader.id);
  await cluster.clock.advance(10_000);
  expect((await restoring).details.outcome).toBe('unknownOutcome');
  cluster.network.filter = () => true;
  cluster.network.heal();
  await cluster.clock.advance(10_000);
  expect(leader.raft.failure?.code).toBe('RAFT_STORE_CORRUPT');
  leader.up = false;
  await cluster.apply('after');
  expect((await cluster.leader()).machine.lines).toEqual(['old-1', 'old-2', 'old-3', 'after']);
});

test('the core refuses entries that contradict the one its snapshot ends with', () => {
  const driver = new CoreDriver({ snapshot: { index: 5, term: 2 }, term: 2 });
  const effects = driver.step({
    type: 'request',
    requestId: 1,
    request: {
      kind: 'appendEntries',
      header: { protocolVersion: 3, id: 'b', address: 'address-of-b' },
      term: 3,
      prevLogIndex: 4,
      prevLogTerm: 2,
      entries: [{ index: 5, term: 3, type: EntryType.noop, data: new Uint8Array(0) }],
      leaderCommitIndex: 0,
      redactedThrough: 0,
    },
  });
  expect(effects).toContainEqual(
    expect.objectContaining({ type: 'halt', failure: expect.objectContaining({ code: 'RAFT_STORE_CORRUPT' }) }),
  );
});

test('right after an election it waits until the leader knows what is committed', async () => {
  cluster = await TestCluster.start(3);
  let leader: TestServer | undefined;
  await cluster.clock.advanceUntil(() => {
    leader = cluster.up.find(({ raft }) => raft.state === 'leader');
    return leader !== undefined;
  }, 5000);
  // The first configuration is in its log, and it does not know yet that it is committed.
  expect(leader!.raft.commitIndex).toBe(0);
  const { meta, bytes } = state(['new']);
  await cluster.clock.resolve(leader!.raft.restore(meta, bytes), 5000);
  expect(await cluster.converge()).toEqual(['new']);
});

test('while a change of the membership is under way it waits, until it is aborted or the change is committed', async () => {
  const leader = await settledCluster();
  const others = cluster.up.filter(({ id }) => id !== leader.id);
  for (const { id } of others) cluster.network.cut(leader.id, id);
  const change = leader.raft.addNonvoter('d', 'address-of-d').catch(() => undefined);
  const abort = new AbortController();
  const aborted = errorOf(leader.raft.restore(state(['no']).meta, state(['no']).bytes, { signal: abort.signal }));
  await cluster.clock.advance(20);
  abort.abort();
  expect((await aborted).code).toBe('RAFT_ABORTED');
  const { meta, bytes } = state(['yes']);
  const restored = leader.raft.restore(meta, bytes);
  await cluster.clock.advance(20);
  cluster.network.heal();
  await cluster.clock.resolve(restored, 5000);
  await cluster.clock.resolve(change, 5000);
  expect(await cluster.converge()).toEqual(['yes']);
});
