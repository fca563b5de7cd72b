import type { Proposal } from './inputs.js';
import { appendAsLeader } from './leadership.js';
import type { CoreNode } from './node.js';
import { broadcast } from './replication.js';
import { entrySize, type LogEntry } from './types.js';

/** Appends proposals as far as the bounds allow; a batch wholly or not at all. */
export function propose(node: CoreNode, proposals: readonly Proposal[], wallNowMs: number): void {
  const { role } = node;
  const refuse = (
    refused: readonly Proposal[],
    code: 'RAFT_NOT_LEADER' | 'RAFT_TRANSFER_IN_PROGRESS' | 'RAFT_RESTORE_IN_PROGRESS' | 'RAFT_OVERLOADED',
    message: string,
  ): void =>
    node.emit({
      type: 'refuseProposals',
      ids: idsOf(refused, refused.length),
      outcome: 'notAppended',
      failure: { code, message },
    });
  if (role.kind !== 'leader') return refuse(proposals, 'RAFT_NOT_LEADER', 'this node does not lead');
  if (role.transfer !== null)
    return refuse(
      proposals,
      'RAFT_TRANSFER_IN_PROGRESS',
      'leadership is being handed over; propose to the next leader',
    );
  if (role.restore !== null)
    return refuse(proposals, 'RAFT_RESTORE_IN_PROGRESS', 'the state of the cluster is being replaced; try again later');
  if (role.backlogBytes > node.config.maxApplyBacklogBytes) {
    const message = `more than maxApplyBacklogBytes (${node.config.maxApplyBacklogBytes}) wait to be applied`;
    return refuse(proposals, 'RAFT_OVERLOADED', message);
  }
  const entries: LogEntry[] = [];
  let bytes = role.uncommittedBytes;
  let index = node.log.lastIndex;
  let batchEnd = 0;
  let accepted = 0;
  for (const { type, data, extensions, batchSize } of proposals) {
    index++;
    // Written out: this is made once for every entry, and spreading would cost an object more.
    const entry: LogEntry =
      extensions === undefined
        ? { index, term: node.term, type, data, appendedAtMs: wallNowMs }
        : { index, term: node.term, type, data, extensions, appendedAtMs: wallNowMs };
    if (batchSize !== undefined) batchEnd = entries.length + batchSize;
    bytes += entrySize(entry);
    if (bytes > node.config.maxUncommittedBytes) break;
    entries.push(entry);
    // Entries of a batch count when its last one has found room.
    if (entries.length >= batchEnd) accepted = entries.length;
  }
  entries.length = accepted;
  if (entries.length > 0) {
    node.emit({
      type: 'proposed',
      ids: idsOf(proposals, entries.length),
      firstIndex: entries[0]!.index,
      term: node.term,
    });
    appendAsLeader(node, role, entries);
    broadcast(node, role);
  }
  if (entries.length < proposals.length) {
    refuse(
      proposals.slice(entries.length),
      'RAFT_OVERLOADED',
      `more than maxUncommittedBytes (${node.config.maxUncommittedBytes}) wait to be committed`,
    );
  }
}

/** The ids of the first proposals. */
function idsOf(proposals: readonly Proposal[], count: number): readonly number[] {
  const ids: number[] = [];
  for (let i = 0; i < count; i++) ids.push(proposals[i]!.id);
  return ids;
}
