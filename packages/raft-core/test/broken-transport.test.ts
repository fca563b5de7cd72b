// A transport that breaks the rules of its port costs requests, and not the node.
import {
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  SimulatedClock,
  type RpcResponse,
  type Transport,
} from '../src/index.js';
import { TextMachine } from './support/test-cluster.js';

test.each<[string, () => Promise<RpcResponse>]>([
  [
    'throws at once',
    () => {
      throw new TypeError('it does not fit the frame');
    },
  ],
  ['answers with nothing', () => Promise.resolve(undefined as unknown as RpcResponse)],
  ['answers without a header', () => Promise.resolve({ kind: 'requestVoteResponse' } as RpcResponse)],
])('one that %s', async (_, send) => {
  const clock = new SimulatedClock();
  let sent = 0;
  const transport: Transport = {
    localId: 'a',
    localAddress: 'A',
    send: (() => {
      sent++;
      return send();
    }) as Transport['send'],
    setHandler: () => undefined,
    close: async () => undefined,
  };
  const raft = await Raft.create<number>({
    id: 'a',
    address: 'A',
    transport,
    stateMachine: new TextMachine(),
    logStore: new MemoryLogStore(),
    stableStore: new MemoryStableStore(),
    snapshotStore: new MemorySnapshotStore(),
    clock,
  });
  const servers = ['a', 'b'].map((id) => ({ id, address: id.toUpperCase(), suffrage: 'voter' as const }));
  await raft.bootstrap({ servers });
  await clock.advance(10_000);
  expect(sent).toBeGreaterThan(2);
  expect(raft.failure).toBeNull();
  expect(raft.state).not.toBe('shutdown');
  expect(raft.metrics().requestsFailed).toBe(sent);
  await raft.shutdown();
});
