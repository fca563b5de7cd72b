import { isVoterIn } from './configuration.js';
import type { Failure } from './effects.js';
import { campaign, mayCampaign, setLeader } from './election.js';
import type { CoreNode, LeaderRole } from './node.js';
import type { Progress } from './progress.js';
import type { TimeoutNowRequest } from './rpc.js';
import type { ServerId } from './types.js';

/** Begins to hand leadership over (Raft thesis, section 3.10): to `target`, or to the peer with the longest log. */
export function requestTransfer(node: CoreNode, role: LeaderRole, id: number, target: ServerId | null): void {
  const fail = (failure: Failure): void => node.emit({ type: 'transferDone', id, failure });
  if (role.transfer !== null) {
    return fail({
      code: 'RAFT_TRANSFER_IN_PROGRESS',
      message: `leadership is being transferred to ${role.transfer.target} already`,
    });
  }
  if (role.restore !== null) {
    return fail({ code: 'RAFT_RESTORE_IN_PROGRESS', message: 'the state of the cluster is being replaced' });
  }
  const { configuration } = node.configurations.latest;
  const voters = [...role.progress.values()].filter((p) => isVoterIn(configuration, p.server.id));
  const chosen =
    target === null
      ? voters.reduce<Progress | undefined>(longer, undefined)
      : voters.find((p) => p.server.id === target);
  if (chosen === undefined) {
    const message =
      target === null ? 'there is no other voter to take over' : `${target} is not another voter of this cluster`;
    return fail({ code: 'RAFT_TRANSFER_FAILED', message });
  }
  role.transferBegun = true;
  role.transfer = { id, target: chosen.server.id, deadline: node.now + node.config.electionTimeoutMs, rpcId: 0 };
  transferProgressed(node, role, chosen);
}

function longer(best: Progress | undefined, p: Progress): Progress {
  return best === undefined || p.match > best.match ? p : best;
}

/** A peer caught up a bit: if it is the target and has everything, it is told to campaign. */
export function transferProgressed(node: CoreNode, role: LeaderRole, p: Progress): void {
  const { transfer } = role;
  if (transfer === null || transfer.rpcId !== 0 || transfer.target !== p.server.id || p.match < node.log.lastIndex)
    return;
  transfer.rpcId = ++node.rpcIds;
  const request: TimeoutNowRequest = { kind: 'timeoutNow', header: node.header, term: node.term };
  node.emit({ type: 'send', rpcId: transfer.rpcId, to: p.server, request, timeoutMs: node.config.electionTimeoutMs });
}

/** Gives the transfer up; this node goes on leading. */
export function failTransfer(node: CoreNode, role: LeaderRole, why: string): void {
  if (role.transfer === null) return;
  node.emit({ type: 'transferDone', id: role.transfer.id, failure: { code: 'RAFT_TRANSFER_FAILED', message: why } });
  role.transfer = null;
}

/** The leader asks this node to take over. */
export function handleTimeoutNow(node: CoreNode, requestId: number, request: TimeoutNowRequest): void {
  node.reply(requestId, { kind: 'timeoutNowResponse', header: node.header });
  if (request.term !== node.term || node.role.kind === 'leader' || !mayCampaign(node)) return;
  setLeader(node, null, null);
  campaign(node, true);
}
