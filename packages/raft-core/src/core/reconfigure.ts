import { resetElectionTimer } from './election.js';
import { heartbeatInterval } from './leadership.js';
import type { CoreNode } from './node.js';
import type { RaftConfig } from './options.js';

/** Goes on with another configuration; timers that run already are set anew by it. */
export function reconfigure(node: CoreNode, config: RaftConfig): void {
  node.config = config;
  const { role } = node;
  if (role.kind !== 'leader') {
    resetElectionTimer(node, role.kind === 'follower' ? config.heartbeatTimeoutMs : config.electionTimeoutMs);
    return;
  }
  for (const p of role.progress.values()) {
    p.nextHeartbeatAt = Math.min(p.nextHeartbeatAt, node.now + heartbeatInterval(node));
  }
}
