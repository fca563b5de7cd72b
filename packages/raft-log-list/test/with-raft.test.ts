import {
  EntryType,
  MemoryLogStore,
  MemorySnapshotStore,
  MemoryStableStore,
  Raft,
  RaftError,
  SimulatedClock,
  seededRandom,
  type Transport,
} from '@discovery-raft/raft-core';
import { ListWriter, type SharedList, type ListResult } from '../src/index.js';
import { plain } from './fixtures/log-harness.js';
import { newAttestation, packetOf, textList } from './fixtures/text-schema.js';

/** A node alone has nobody to send to. */
const transport: Transport = {
  localId: 'n1',
  localAddress: 'n1',
  send: () => Promise.reject(new RaftError('RAFT_TRANSPORT_FAILED', 'there is nobody else')),
  setHandler() {},
  close: () => Promise.resolve(),
};

describe('on a Raft of one node', () => {
  it('keeps the log as long as the list, and comes back after a restart from snapshot and log', async () => {
    const clock = new SimulatedClock();
    const stores = {
      logStore: new MemoryLogStore(),
      stableStore: new MemoryStableStore(),
      snapshotStore: new MemorySnapshotStore(),
    };
    const start = async (list: SharedList): Promise<Raft<ListResult>> => {
      const options = { id: 'n1', address: 'n1', transport, ...stores, clock, random: seededRandom(1) };
      return clock.resolve(Raft.create({ ...options, stateMachine: list }), 1000);
    };
    const list = textList();
    const raft = await start(list);
    await clock.resolve(raft.bootstrap({ servers: [{ suffrage: 'voter', id: 'n1', address: 'n1' }] }), 1000);
    await clock.advanceUntil(() => raft.state === 'leader', 60_000);
    await clock.resolve(raft.barrier(), 1000);
    const writer = new ListWriter({ list, propose: (data) => raft.apply(data), clock, attestationThreshold: 2 });
    writer.takeOver();

    const padding = 'p'.repeat(500);
    const publish = async (expiration: number): Promise<void> => {
      const outcomes = ['x', 'y', 'z'].flatMap((name) =>
        Array.from({ length: 20 }, (_, i) =>
          writer.upsert(packetOf(`id${i}`, expiration, padding), newAttestation(name)),
        ),
      );
      await clock.resolve(Promise.all(outcomes), 10_000);
    };
    for (let cycle = 1; cycle <= 5; cycle++) await publish(cycle * 100);
    await clock.resolve(writer.freeze(1), 1000);
    await clock.advance(1000);
    expect(list.size).toBe(20);
    const { firstIndex, lastIndex } = stores.logStore;
    const entries = stores.logStore.read(firstIndex, lastIndex, Infinity);
    const full = entries.filter(({ type, data }) => type === EntryType.command && data.length > 64);
    expect(full.map(({ index }) => index)).toEqual(
      [...list.entries()].map(({ index }) => index).toSorted((a, b) => a - b),
    );

    await clock.resolve(raft.snapshot(), 10_000);
    await publish(600);
    const expected = plain(list);
    writer.stepDown();
    await clock.resolve(raft.shutdown(), 10_000);

    const again = textList();
    const restarted = await start(again);
    await clock.advanceUntil(() => restarted.state === 'leader', 60_000);
    await clock.resolve(restarted.barrier(), 1000);
    expect(plain(again)).toEqual(expected);
    expect(again.view().digest()).toEqual(list.view().digest());
    await clock.resolve(restarted.shutdown(), 10_000);
  });
});
