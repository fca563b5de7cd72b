// A state machine that does not wait for its writes, or cannot be released, and a store that takes its time.
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  recoverCluster,
  type SnapshotStore,
  type StateMachineSnapshot,
} from '../src/index.js';
import { TestCluster, TextMachine } from './support/test-cluster.js';

/** Writes its state in pieces, and waits for none. */
class Careless extends TextMachine {
  releases = true;
  override snapshot(): StateMachineSnapshot {
    const text = Buffer.from(JSON.stringify(this.lines));
    return {
      persist: (write) => {
        for (let at = 0; at < text.length; at += 4) void write(text.subarray(at, at + 4));
      },
      release: () => {
        if (!this.releases) throw new Error('it is gone');
      },
    };
  }
}

/** A store whose writes take the longer the earlier they come. */
function slow(store: MemorySnapshotStore, fails = false): SnapshotStore {
  const create: SnapshotStore['create'] = (meta) => {
    const sink = store.create(meta);
    let turns = 20;
    return {
      id: sink.id,
      get size() {
        return sink.size;
      },
      write: async (chunk) => {
        for (let i = turns--; i > 0; i--) await Promise.resolve();
        if (fails) throw new Error('the disk is full');
        await sink.write(chunk);
      },
      close: () => sink.close(),
      cancel: () => sink.cancel(),
    };
  };
  return { list: () => store.list(), open: (id) => store.open(id), close: () => undefined, create };
}

const bytesOf = (store: MemorySnapshotStore): string => {
  const source = store.open(store.list()[0]!.id);
  return Buffer.from(source.read(0, 1000) as Uint8Array).toString();
};

let cluster: TestCluster;
afterEach(() => cluster.shutdown());

async function careless(fails = false): Promise<{ machine: Careless; store: MemorySnapshotStore }> {
  cluster = await TestCluster.start(1, {
    wrap: (_, stores) => ({ ...stores, snapshotStore: slow(stores.snapshotStore, fails) }),
  });
  const machine = new Careless();
  const { machine: own, snapshotStore } = await cluster.leader();
  own.snapshot = () => {
    machine.lines = own.lines;
    return machine.snapshot();
  };
  for (const line of ['one', 'two', 'three']) await cluster.apply(line);
  return { machine, store: snapshotStore };
}

test('what it wrote is stored whole and in order', async () => {
  const { store } = await careless();
  await cluster.clock.resolve(cluster.raft('a').snapshot(), 1000);
  expect(bytesOf(store)).toBe('["one","two","three"]');
});

test('a write that fails fails the snapshot', async () => {
  const { store } = await careless(true);
  await expect(cluster.clock.resolve(cluster.raft('a').snapshot(), 1000)).rejects.toMatchObject({
    code: 'RAFT_SNAPSHOT_FAILED',
    cause: new Error('the disk is full'),
  });
  expect(store.list()).toEqual([]);
});

test('one that cannot be released fails it with a typed error, and the node goes on', async () => {
  const { machine } = await careless();
  machine.releases = false;
  const { raft } = cluster.server('a');
  const failed = { code: 'RAFT_STATE_MACHINE_FAILED', cause: new Error('it is gone') };
  await expect(cluster.clock.resolve(raft.snapshot(), 1000)).rejects.toMatchObject(failed);
  machine.releases = true;
  await cluster.apply('four');
  expect((await cluster.clock.resolve(raft.snapshot(), 1000)).index).toBe(raft.lastIndex);
});

test('one that is asked for while the state machine is being restored never has an older configuration', async () => {
  cluster = await TestCluster.start(3, { config: { trailingLogs: 0 } });
  const leader = await cluster.leader();
  const away = cluster.up.find(({ id }) => id !== leader.id)!;
  await cluster.stop(away.id);
  const added = await cluster.clock.resolve(leader.raft.addNonvoter('n', 'address-of-n'), 1000);
  await cluster.apply('x');
  await leader.raft.snapshot();
  await cluster.restart(away.id);
  const outcomes = new Set<unknown>();
  const { machine, raft, snapshotStore } = away;
  const restore = machine.restore.bind(machine);
  machine.restore = async (bytes) => {
    await restore(bytes);
    // At every moment from here on.
    for (let ticks = 0, then = Promise.resolve(); ticks < 60; ticks++) {
      then = then.then(() => void raft.snapshot().catch((error: { code: string }) => outcomes.add(error.code)));
    }
  };
  await cluster.converge();
  expect([...outcomes].sort()).toEqual(['RAFT_NOTHING_NEW_TO_SNAPSHOT', 'RAFT_SNAPSHOT_FAILED']);
  expect(snapshotStore.list().map(({ configurationIndex }) => configurationIndex)).toEqual([added]);
});

test('a recovery stores it whole too, and says what the state machine could not do', async () => {
  const snapshotStore = new MemorySnapshotStore();
  const stores = { logStore: new MemoryLogStore(), stableStore: new MemoryStableStore(), snapshotStore };
  stores.stableStore.save({ term: 1, votedFor: null });
  stores.logStore.append([{ index: 1, term: 1, type: 0, data: Buffer.from('a line of some length') }]);
  const configuration = { servers: [{ id: 'a', address: 'A', suffrage: 'voter' as const }] };
  const broken = new TextMachine();
  broken.snapshot = () => {
    throw new Error('no memory');
  };
  await expect(recoverCluster({ ...stores, stateMachine: broken, configuration })).rejects.toMatchObject({
    code: 'RAFT_STATE_MACHINE_FAILED',
  });
  await recoverCluster({ ...stores, snapshotStore: slow(snapshotStore), stateMachine: new Careless(), configuration });
  expect(bytesOf(snapshotStore)).toBe('["a line of some length"]');
});
