import type { Input } from './inputs.js';
import { changeMembership } from './membership.js';
import type { CoreNode } from './node.js';
import { forwardRead, requestRead } from './reads.js';
import { beginRestore } from './restore.js';
import { abortTransfer, requestTransfer } from './transfer.js';

/** What callers ask of a leader, proposals aside. */
export type Call = Extract<
  Input,
  { readonly type: 'read' | 'changeMembership' | 'transfer' | 'abortTransfer' | 'beginRestore' }
>;

/** Takes a call; who does not lead refuses it, or has the leader answer it. */
export function call(node: CoreNode, input: Call): void {
  const { role } = node;
  switch (input.type) {
    case 'read':
      if (role.kind === 'leader') return requestRead(node, role, input.id, input.mode ?? 'quorum');
      if (input.forward === true) return forwardRead(node, input.id);
      return node.emit({
        type: 'refuseReads',
        ids: [input.id],
        failure: { code: 'RAFT_NOT_LEADER', message: 'only the leader can confirm a read' },
      });
    case 'changeMembership':
      if (role.kind === 'leader') return changeMembership(node, role, input);
      return node.emit({
        type: 'refuseProposals',
        ids: [input.id],
        outcome: 'notAppended',
        failure: { code: 'RAFT_NOT_LEADER', message: 'only the leader can change the membership' },
      });
    case 'transfer':
      if (role.kind === 'leader') return requestTransfer(node, role, input);
      return node.emit({
        type: 'transferDone',
        id: input.id,
        target: null,
        term: node.term,
        failure: { code: 'RAFT_NOT_LEADER', message: 'only the leader can hand leadership over' },
      });
    case 'abortTransfer':
      if (role.kind === 'leader') abortTransfer(node, role, input.id);
      return;
    case 'beginRestore': {
      const { id } = input;
      if (role.kind === 'leader') return beginRestore(node, role, id);
      const failure = { code: 'RAFT_NOT_LEADER', message: 'only the leader can restore the cluster' } as const;
      return node.emit({ type: 'restoreBegun', id, failure, epoch: 0, lastIndex: 0, term: node.term });
    }
  }
}
