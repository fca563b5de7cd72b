import type { DiscoveryNode } from '../node/discovery-node.js';

/** Entries that a node may lack behind what it knows to be committed, and still count as ready. */
const MOST_BEHIND = 10_000;

/** Why a node should not be sent clients to; empty when it should. */
export async function readiness(node: DiscoveryNode, stopping: boolean): Promise<readonly string[]> {
  const because: string[] = [];
  const { raft, consensus } = node;
  if (stopping) because.push('it is stopping');
  if (consensus.divergence !== null) because.push('its state is not what the other nodes have');
  if (raft.failure !== null) because.push('Raft has failed');
  if (raft.leader === null) because.push('it knows no leader');
  if (consensus.state === 'Nil' || consensus.state === 'Initializing')
    because.push(`the consensus is ${consensus.state}`);
  const behind = raft.commitIndex - raft.appliedIndex;
  if (behind > MOST_BEHIND) because.push(`${behind} entries are not applied yet`);
  if ((await node.directory()) === null) because.push('it has no directory to serve');
  return because;
}
