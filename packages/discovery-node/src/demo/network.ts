import type { DiscoveryDirectory } from '@discovery-raft/protocol';
import type { Authority, TrustRoot } from '@discovery-raft/psp-pki';
import type { PublishReceipt } from '@discovery-raft/discovery-client';
import type { NodeStatus } from '../node/node-status.js';

/** Pause before an accepted packet is sent again, and before a leader shows it to others; seconds of the wall. */
export const RESEND_SECONDS = 20;
export const ENHANCE_SECONDS = 5;
/** After this time, a leader has asked for the attestations that are missing. */
export const ENHANCE_AFTER_SECONDS = RESEND_SECONDS + ENHANCE_SECONDS + 1;

/** A running node, as the demonstration sees it: from the outside. */
export interface DemoNode {
  readonly identity: string;
  status(): Promise<NodeStatus>;
  /** Publishes as a client at `source` does. */
  publish(source: string, packet: Uint8Array): Promise<PublishReceipt>;
  /** Pulls as a client does; nothing of the answer is verified. */
  pull(): Promise<DiscoveryDirectory>;
}

/** What a network used. */
export interface DemoUsage {
  /** The largest resident set of any process, MiB. */
  readonly peakRssMb: number;
  /** Bytes that nodes received and sent, over all links and clients. */
  readonly wireBytes: number;
  /** Bytes in the nodes' data directories; null when they keep everything in memory. */
  readonly diskBytes: number | null;
}

/** Discovery nodes that know each other, and a time of day that only the demonstration moves. */
export interface DemoNetwork {
  readonly root: TrustRoot;
  /** Who vouches for relays. */
  readonly authorities: readonly Authority[];
  /** Dates of every certificate, Unix seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The nodes that run. */
  readonly nodes: readonly DemoNode[];
  /** Starts and links all nodes, and makes them one cluster. */
  start(): Promise<void>;
  /** Milliseconds that the nodes have had to work in, from any origin: the day may pass no faster than by these. */
  workedMs(): number;
  /** Sets the time of day of every node; never back. */
  setTime(unixSeconds: number): Promise<void>;
  /** Ends a node: where nodes are processes, with SIGKILL. */
  end(node: DemoNode): Promise<void>;
  /** Starts what was ended, where its data outlived it; false where it did not. */
  revive(): Promise<boolean>;
  usage(): Promise<DemoUsage>;
  stop(): Promise<void>;
}

/** The node that leads and has taken the list over; undefined while there is none. */
export async function leaderOf(network: DemoNetwork): Promise<{ node: DemoNode; status: NodeStatus } | undefined> {
  for (const node of network.nodes) {
    const status = await node.status();
    if (status.raft.state === 'leader' && status.consensus.state.startsWith('Leader')) return { node, status };
  }
  return undefined;
}
