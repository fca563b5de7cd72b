import type { RaftError, RaftErrorCode } from '../core/errors.js';
import type { Driver } from './driver.js';

/** The error for a proposal to a node that takes none at this moment; null when it takes them. */
export function refuseProposal(driver: Pick<Driver<unknown>, 'core' | 'stopped' | 'withLeader'>): RaftError | null {
  if (driver.core.state === 'leader' && !driver.stopped) return null;
  const refuse = (code: RaftErrorCode, message: string): RaftError =>
    driver.withLeader({ code, message, details: { outcome: 'notAppended' } });
  if (driver.stopped) return refuse('RAFT_SHUTDOWN', 'this node is stopped');
  return refuse('RAFT_NOT_LEADER', 'this node does not lead');
}
