import { create, toBinary } from '@bufbuild/protobuf';
import type { FrozenList } from '@discovery-raft/discovery-consensus-fsm';
import { RaftLogEntrySchema } from '@discovery-raft/protocol';
import { EntryType } from '@discovery-raft/raft-core';
import { newDiscoveryList } from '../src/index.js';
import { completeListReader } from '../src/node/complete-list-reader.js';

function marker(index: number) {
  const data = toBinary(RaftLogEntrySchema, create(RaftLogEntrySchema, { round: BigInt(index) }));
  return { index, term: 1, type: EntryType.command, data };
}

test('the list at a marker counts only when nothing that was alive there has left the log', () => {
  const list = newDiscoveryList();
  let incompleteUntil = 0;
  const skipped: number[] = [];
  const frozen: FrozenList[] = [];
  const reader = completeListReader(
    list,
    () => incompleteUntil,
    (index) => skipped.push(index),
  );
  const stop = reader.onFrozen((what) => frozen.push(what));
  const apply = (index: number): unknown => list.apply(marker(index), { redact: () => {} });
  apply(5);
  incompleteUntil = 9;
  apply(6);
  apply(8);
  apply(9);
  apply(10);
  expect(frozen.map(({ index }) => index)).toEqual([5, 9, 10]);
  expect(skipped).toEqual([6, 8]);
  stop();
  apply(11);
  expect(frozen).toHaveLength(3);
});
