import { crc32 } from 'node:zlib';
import { MemorySnapshotStore, silentLogger, type InstallSnapshotRequest } from '../../src/index.js';
import { SnapshotReceiver } from '../../src/runtime/snapshot-receiver.js';
import { snapshotRequest } from '../support/core-driver.js';

const state = Buffer.from('the whole state');

/** The chunk of `state` from `from` to `to`. */
function chunk(from: number, to: number, change: Partial<InstallSnapshotRequest> = {}): InstallSnapshotRequest {
  const bytes = state.subarray(from, to);
  return {
    ...snapshotRequest('b', 3, [9, 2]),
    size: state.length,
    offset: from,
    chunk: bytes,
    crc: crc32(bytes),
    done: to >= state.length,
    ...change,
  };
}

describe('the receiver of snapshots', () => {
  let store: MemorySnapshotStore;
  let receiver: SnapshotReceiver;
  beforeEach(() => {
    store = new MemorySnapshotStore();
    receiver = new SnapshotReceiver(store, silentLogger);
  });

  async function bytesOfNewest(): Promise<string> {
    const [meta] = store.list();
    return Buffer.from(await store.open(meta!.id).read(0, 1000)).toString();
  }

  test('puts chunks together', async () => {
    expect(await receiver.receive(chunk(0, 4))).toEqual({ kind: 'stored', nextOffset: 4 });
    expect(await receiver.receive(chunk(4, 10))).toEqual({ kind: 'stored', nextOffset: 10 });
    expect(store.list()).toEqual([]);
    expect(await receiver.receive(chunk(10, 15))).toMatchObject({
      kind: 'complete',
      meta: { index: 9, term: 2, size: 15 },
    });
    expect(await bytesOfNewest()).toBe('the whole state');
  });

  test('refuses a chunk that is damaged, and goes on where it stood', async () => {
    await receiver.receive(chunk(0, 4));
    expect(await receiver.receive(chunk(4, 15, { crc: 1 }))).toEqual({ kind: 'refused', nextOffset: 4 });
    expect(await receiver.receive(chunk(4, 15, { chunk: Buffer.alloc(11) }))).toEqual({
      kind: 'refused',
      nextOffset: 4,
    });
    expect(await receiver.receive(chunk(4, 15))).toMatchObject({ kind: 'complete' });
    expect(await bytesOfNewest()).toBe('the whole state');
  });

  test('answers a duplicate and a gap with the offset that it wants', async () => {
    await receiver.receive(chunk(0, 4));
    expect(await receiver.receive(chunk(0, 4))).toEqual({ kind: 'stored', nextOffset: 4 });
    expect(await receiver.receive(chunk(8, 15))).toEqual({ kind: 'stored', nextOffset: 4 });
  });

  test('refuses more bytes than were announced', async () => {
    await receiver.receive(chunk(0, 4, { size: 6 }));
    expect(await receiver.receive(chunk(4, 15, { size: 6 }))).toEqual({ kind: 'refused', nextOffset: 4 });
  });

  test.each([
    ['another leader', { header: { protocolVersion: 3, id: 'c', address: 'x' } }],
    ['another term', { term: 4 }],
    ['another snapshot', { lastLogIndex: 12 }],
  ])('%s begins anew', async (_, change) => {
    await receiver.receive(chunk(0, 10));
    expect(await receiver.receive(chunk(10, 15, change))).toEqual({ kind: 'stored', nextOffset: 0 });
    await receiver.receive(chunk(0, 15, change));
    expect(await bytesOfNewest()).toBe('the whole state');
    expect(store.list()).toHaveLength(1);
  });

  test('takes one chunk at a time', async () => {
    const both = await Promise.all([receiver.receive(chunk(0, 4)), receiver.receive(chunk(0, 4))]);
    expect(both.map(({ kind }) => kind)).toEqual(['stored', 'refused']);
  });

  test('what is cancelled leaves nothing behind', async () => {
    await receiver.receive(chunk(0, 10));
    await receiver.cancel();
    await receiver.cancel();
    expect(await receiver.receive(chunk(10, 15))).toEqual({ kind: 'stored', nextOffset: 0 });
    expect(store.list()).toEqual([]);
  });

  test('a store that fails refuses the chunk; the snapshot begins anew', async () => {
    await receiver.receive(chunk(0, 4));
    const create = jest.spyOn(store, 'create').mockImplementation(() => {
      throw new Error('disk full');
    });
    expect(await receiver.receive(chunk(0, 4, { term: 5 }))).toEqual({ kind: 'refused', nextOffset: 0 });
    create.mockRestore();
    expect(await receiver.receive(chunk(0, 15, { term: 5 }))).toMatchObject({ kind: 'complete' });
  });
});
