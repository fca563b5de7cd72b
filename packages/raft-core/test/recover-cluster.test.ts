// A cluster that has lost its quorum for good, and peers.json.
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  parsePeersJson,
  readLogEnd,
  recoverCluster,
  type Configuration,
  type RaftError,
} from '../src/index.js';
import { TestCluster, TextMachine, type TestServer } from './support/test-cluster.js';

function configurationOf(...ids: string[]): Configuration {
  return { servers: ids.map((id) => ({ id, address: `address-of-${id}`, suffrage: 'voter' })) };
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as RaftError).code;
  }
  return 'none';
}

describe('recoverCluster', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  async function stopped(lines: number): Promise<TestServer> {
    cluster = await TestCluster.start(3, { config: { trailingLogs: 2 } });
    for (let i = 0; i < lines; i++) await cluster.apply(`${i}`);
    await cluster.converge();
    const leader = await cluster.leader();
    for (const { id } of cluster.up) await cluster.stop(id);
    return leader;
  }

  const recover = (server: TestServer, configuration: Configuration, machine = new TextMachine()) =>
    recoverCluster({ ...server, stateMachine: machine, configuration });

  test('one server goes on alone, with everything', async () => {
    const left = await stopped(5);
    const { lastIndex } = left.logStore;
    const meta = await recover(left, configurationOf(left.id));
    expect(meta).toMatchObject({ index: lastIndex, configurationIndex: lastIndex });
    expect(left.logStore.firstIndex).toBe(lastIndex + 1);
    await cluster.restart(left.id);
    await cluster.clock.advanceUntil(() => left.raft.state === 'leader', 10_000);
    expect((await cluster.clock.resolve(left.raft.apply(Buffer.from('after')), 1000)).response).toBe(6);
    expect(left.machine.lines).toEqual(['0', '1', '2', '3', '4', 'after']);
  });

  test('two servers that are left go on together, from a snapshot and a log', async () => {
    cluster = await TestCluster.start(3, { config: { trailingLogs: 0 } });
    for (const line of ['1', '2']) await cluster.apply(line);
    await cluster.converge();
    for (const { raft } of cluster.up) await cluster.clock.resolve(raft.snapshot(), 1000);
    for (const line of ['3', '4']) await cluster.apply(line);
    await cluster.converge();
    for (const { id } of cluster.up) await cluster.stop(id);
    for (const id of ['a', 'b']) await recover(cluster.server(id), configurationOf('a', 'b'));
    for (const id of ['a', 'b']) await cluster.restart(id);
    await cluster.apply('5');
    expect(await cluster.converge()).toEqual(['1', '2', '3', '4', '5']);
    expect(cluster.raft('a').getConfiguration().configuration).toEqual(configurationOf('a', 'b'));
  });

  test('of two servers whose logs end differently only the one with the expected end is recovered', async () => {
    cluster = await TestCluster.start(3);
    await cluster.apply('1');
    await cluster.converge();
    const leader = await cluster.leader();
    const behind = cluster.up.find(({ id }) => id !== leader.id)!;
    cluster.network.isolate(behind.id);
    await cluster.apply('2', leader);
    await cluster.clock.advance(100);
    for (const { id } of cluster.up) await cluster.stop(id);
    const [end, less] = [await readLogEnd(leader), await readLogEnd(behind)];
    expect(end.index).toBe(leader.logStore.lastIndex);
    expect(less.index).toBeLessThan(end.index);
    const options = { configuration: configurationOf(leader.id, behind.id), expectedEnd: end };
    await expect(recoverCluster({ ...behind, ...options, stateMachine: new TextMachine() })).rejects.toMatchObject({
      code: 'RAFT_INVALID_OPTION',
      details: less,
    });
    expect(behind.snapshotStore.list()).toEqual([]);
    const meta = await recoverCluster({ ...leader, ...options, stateMachine: new TextMachine() });
    expect(meta).toMatchObject(end);
    // The snapshot is where the log ended, so it can be done again.
    expect(await readLogEnd(leader)).toEqual(end);
    await recoverCluster({ ...leader, ...options, stateMachine: new TextMachine() });
  });

  test('stores that hold nothing end at 0', async () => {
    cluster = await TestCluster.start(1);
    const stores = { logStore: new MemoryLogStore(), snapshotStore: new MemorySnapshotStore() };
    expect(await readLogEnd(stores)).toEqual({ index: 0, term: 0 });
  });

  test('twice in a row, as after a crash, does no harm; the last configuration counts', async () => {
    const left = await stopped(3);
    await recover(left, configurationOf(left.id, 'x'));
    await recover(left, configurationOf(left.id));
    await cluster.restart(left.id);
    await cluster.clock.advanceUntil(() => left.raft.state === 'leader', 10_000);
    expect(left.raft.getConfiguration().configuration).toEqual(configurationOf(left.id));
    expect(left.machine.lines).toEqual(['0', '1', '2']);
  });

  test('a crash between the snapshot and the log does no harm', async () => {
    const left = await stopped(3);
    const reset = left.logStore.reset.bind(left.logStore);
    left.logStore.reset = () => {
      throw new Error('power is out');
    };
    await expect(recover(left, configurationOf(left.id))).rejects.toMatchObject({ code: 'RAFT_STORE_FAILED' });
    left.logStore.reset = reset;
    await cluster.restart(left.id);
    await cluster.clock.advanceUntil(() => left.raft.state === 'leader', 10_000);
    expect(left.machine.lines).toEqual(['0', '1', '2']);
  });

  test('a server that lacks what superseded a redacted entry is refused', async () => {
    const left = await stopped(3);
    const entry = left.logStore.read(3, 3, 1)[0]!;
    const extensions = new Uint8Array(8);
    extensions[7] = 200;
    left.logStore.redact([{ ...entry, type: 16, data: new Uint8Array(32), extensions }]);
    await expect(recover(left, configurationOf(left.id))).rejects.toMatchObject({ code: 'RAFT_STORE_CORRUPT' });
  });

  test('the state machine is told of tombstones in their place', async () => {
    const left = await stopped(3);
    const { lastIndex } = left.logStore;
    const entry = left.logStore.read(lastIndex - 1, lastIndex - 1, 1)[0]!;
    const extensions = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, lastIndex);
    left.logStore.redact([{ ...entry, type: 16, data: new Uint8Array(32), extensions }]);
    const machine = new TextMachine();
    await recover(left, configurationOf(left.id), machine);
    expect(machine.lines).toEqual(['0', '2']);
    expect([...machine.tombstones]).toEqual([[lastIndex - 1, '00'.repeat(32)]]);
  });

  test('a state machine that throws, stores that hold nothing, a configuration without a voter', async () => {
    const left = await stopped(1);
    const machine = new TextMachine();
    machine.onApply = () => {
      throw new Error('broken');
    };
    await expect(recover(left, configurationOf('a'), machine)).rejects.toMatchObject({
      code: 'RAFT_STATE_MACHINE_FAILED',
    });
    expect(left.snapshotStore.list()).toEqual([]);
    await expect(recover(left, { servers: [] })).rejects.toMatchObject({ code: 'RAFT_INVALID_CONFIGURATION' });
    const empty = {
      logStore: new MemoryLogStore(),
      stableStore: new MemoryStableStore(),
      snapshotStore: new MemorySnapshotStore(),
    };
    const options = { ...empty, stateMachine: new TextMachine(), configuration: configurationOf('a') };
    await expect(recoverCluster(options)).rejects.toMatchObject({ code: 'RAFT_INVALID_OPTION' });
    empty.stableStore.save({ term: 3, votedFor: null });
    await expect(recoverCluster(options)).rejects.toMatchObject({ code: 'RAFT_INVALID_OPTION' });
  });
});

describe('peers.json', () => {
  test("is read in hashicorp/raft's form", () => {
    const text = `[
      { "id": "adf4238a", "address": "10.1.0.1:8300" },
      { "id": "8b6dda82", "address": "10.1.0.2:8300", "non_voter": false },
      { "id": "97e17742", "address": "10.1.0.3:8300", "non_voter": true }
    ]`;
    expect(parsePeersJson(text)).toEqual({
      servers: [
        { id: 'adf4238a', address: '10.1.0.1:8300', suffrage: 'voter' },
        { id: '8b6dda82', address: '10.1.0.2:8300', suffrage: 'voter' },
        { id: '97e17742', address: '10.1.0.3:8300', suffrage: 'nonvoter' },
      ],
    });
  });

  test('is read in the older form, where addresses are the ids', () => {
    expect(parsePeersJson('["10.1.0.1:8300", "10.1.0.2:8300"]').servers[1]).toEqual({
      id: '10.1.0.2:8300',
      address: '10.1.0.2:8300',
      suffrage: 'voter',
    });
  });

  test.each([
    '',
    'null',
    '{}',
    '[]',
    '[null]',
    '[1]',
    '[""]',
    '["a", "a"]',
    '[{ "id": "a" }]',
    '[{ "id": 1, "address": "x" }]',
    '[{ "id": "a", "address": "x", "non_voter": "no" }]',
    '[{ "id": "a", "address": "x", "non_voter": true }]',
    '[{ "id": "a", "address": "x" }, { "id": "b", "address": "x" }]',
    `["${'x'.repeat(1 << 20)}"]`,
  ])('%.40s is refused', (text) => {
    expect(codeOf(() => parsePeersJson(text))).toBe('RAFT_INVALID_CONFIGURATION');
  });
});
