import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { RaftLogEntrySchema } from '@discovery-raft/protocol';
import { EntryType } from '@discovery-raft/raft-core';
import { ListWriter, SharedList } from '@discovery-raft/raft-log-list';
import { listLeader, listReader } from '../src/index.js';
import type { FrozenList, ListCompleteness } from '../src/index.js';
import { VirtualTime } from './fixtures/virtual-time.js';

function newList(): SharedList {
  const schema = { describe: () => undefined, attester: () => undefined };
  return new SharedList({ schema, sha256: (bytes) => hash('sha256', bytes, 'binary'), crc32 });
}

function marker(index: number) {
  const data = toBinary(RaftLogEntrySchema, create(RaftLogEntrySchema, { round: BigInt(index) }));
  return { index, term: 1, type: EntryType.command, data };
}

function frozenOf(
  completeness: ListCompleteness | undefined,
  indexes: readonly number[],
  before: (at: number) => void,
) {
  const list = newList();
  const frozen: FrozenList[] = [];
  const stop = listReader(list, completeness).onFrozen((what) => frozen.push(what));
  for (const index of indexes) {
    before(index);
    list.apply(marker(index), { redact: () => {} });
  }
  stop();
  list.apply(marker(100), { redact: () => {} });
  return frozen.map(({ index }) => index);
}

describe('listReader', () => {
  test('the list at a marker counts only when nothing that was alive there has left the log', () => {
    let incompleteUntil = 0;
    const skipped: number[] = [];
    const completeness = { incompleteUntil: () => incompleteUntil, skipped: (index: number) => skipped.push(index) };
    const frozen = frozenOf(completeness, [5, 6, 8, 9, 10], (at) => (incompleteUntil = at === 5 ? 0 : 9));
    expect(frozen).toEqual([5, 9, 10]);
    expect(skipped).toEqual([6, 8]);
  });

  test('without a word about completeness, every list counts', () => {
    expect(frozenOf(undefined, [5, 6], () => undefined)).toEqual([5, 6]);
  });
});

describe('listLeader', () => {
  test('begins to write after the barrier, and not when that fails', async () => {
    const writer = new ListWriter({
      list: newList(),
      clock: { ...new VirtualTime(0).clock(), defer: (callback) => void setImmediate(callback) },
      attestationThreshold: 1,
      propose: () => Promise.reject(new Error('not asked for')),
    });
    let fails = true;
    const leader = listLeader(writer, () => (fails ? Promise.reject(new Error('leads no more')) : Promise.resolve()));
    await expect(leader.takeOver()).rejects.toThrow('leads no more');
    expect(writer.leading).toBe(false);
    fails = false;
    await leader.takeOver();
    expect(writer.leading).toBe(true);
    await leader.stepDown();
    expect(writer.leading).toBe(false);
  });
});
