import { isVoterIn } from './configuration.js';
import type { Failure } from './effects.js';
import { campaign, mayCampaign, setLeader } from './election.js';
import type { RaftErrorCode } from './errors.js';
import type { CoreNode, LeaderRole } from './node.js';
import type { Progress } from './progress.js';
import type { TimeoutNowRequest } from './rpc.js';
import type { ServerId } from './types.js';

/** Begins to hand leadership over (Raft thesis, section 3.10): to `target`, or to the peer with the longest log. */
export function requestTransfer(
  node: CoreNode,
  role: LeaderRole,
  { id, target, timeoutMs }: { readonly id: number; readonly target: ServerId | null; readonly timeoutMs?: number },
): void {
  const fail = (failure: Failure): void => node.emit({ type: 'transferDone', id, target, term: node.term, failure });
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
  role.transfer = {
    id,
    target: chosen.server.id,
    deadline: node.now + (timeoutMs ?? node.config.electionTimeoutMs),
    callersLimitMs: timeoutMs ?? null,
    rpcId: 0,
  };
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

/** Gives the transfer up; this node goes on leading. A target that was told already may take over all the same. */
export function failTransfer(node: CoreNode, role: LeaderRole, code: RaftErrorCode, why: string): void {
  if (role.transfer === null) return;
  const { id, target, rpcId } = role.transfer;
  const failure: Failure = { code, message: why, details: { target, told: rpcId !== 0 } };
  node.emit({ type: 'transferDone', id, target, term: node.term, failure });
  role.transfer = null;
}

/** Time has passed: a transfer that took too long is given up. */
export function expireTransfer(node: CoreNode, role: LeaderRole): void {
  const { transfer } = role;
  if (transfer === null || node.now < transfer.deadline) return;
  const limitMs = transfer.callersLimitMs ?? node.config.electionTimeoutMs;
  const code = transfer.callersLimitMs === null ? 'RAFT_TRANSFER_FAILED' : 'RAFT_TIMEOUT';
  failTransfer(node, role, code, `${transfer.target} did not take over within ${limitMs} ms`);
}

/** The caller of a transfer takes it back. */
export function abortTransfer(node: CoreNode, role: LeaderRole, id: number): void {
  if (role.transfer?.id === id) failTransfer(node, role, 'RAFT_ABORTED', 'the caller aborted the transfer');
}

/** The leader asks this node to take over. */
export function handleTimeoutNow(node: CoreNode, requestId: number, request: TimeoutNowRequest): void {
  node.reply(requestId, { kind: 'timeoutNowResponse', header: node.header });
  if (request.term !== node.term || node.role.kind === 'leader' || !mayCampaign(node)) return;
  setLeader(node, null, null);
  campaign(node, true);
}
