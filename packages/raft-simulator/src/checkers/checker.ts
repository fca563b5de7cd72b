import type {
  ConfigurationAt,
  LogEntry,
  LogIndex,
  RaftState,
  RpcRequest,
  RpcResponse,
  ServerId,
} from '@discovery-raft/raft-core';
import type { Change } from '../clients/change.js';
import type { Operation } from '../clients/operation.js';
import type { DiskWrite } from '../disk/platter.js';
import type { Sent } from '../network/sim-network.js';
import type { Command } from '../node/register-machine.js';
import type { Recovery } from '../node/disaster.js';
import type { SimNode } from '../node/sim-node.js';

/** A rule that was broken. */
export interface Violation {
  readonly kind: 'safety' | 'liveness';
  /** The checker that saw it. */
  readonly rule: string;
  readonly message: string;
  readonly atMs: number;
}

/** What a checker may see of the cluster. */
export interface Cluster {
  readonly nodes: readonly SimNode[];
  node(id: ServerId): SimNode;
}

/** Reports a broken rule; the simulation ends after the turn. */
export type Report = (message: string) => void;

/**
 * Watches a simulation for one rule. It sees messages, disks, events and client results, never the inside of the code
 * that it checks. Every hook is optional.
 */
export interface Checker {
  /** A message leaves a server. */
  sent?(message: Sent): void;
  /** A message is about to be handed to a server that runs. */
  arriving?(node: SimNode, from: ServerId, message: RpcRequest | RpcResponse): void;
  /** A request was handed to a server, which has not answered yet. */
  arrived?(node: SimNode, from: ServerId, request: RpcRequest): void;
  /** A write is durable. */
  written?(node: SimNode, write: DiskWrite): void;
  started?(node: SimNode): void;
  roleChanged?(node: SimNode, from: RaftState): void;
  /** A server says that everything up to `index` is committed. */
  committed?(node: SimNode, index: LogIndex): void;
  /** A server goes by another configuration from now on. */
  configurationTaken?(node: SimNode, configuration: ConfigurationAt): void;
  snapshotInstalled?(node: SimNode, index: LogIndex): void;
  /** A state machine is given a command, and has not executed it yet. */
  commandApplied?(node: SimNode, entry: LogEntry, command: Command): void;
  /** A server has run, and no promise reaction is left. */
  settled?(node: SimNode): void;
  /** Every process is dead and every message lost; what is left is recovered by hand. */
  disaster?(): void;
  /** The cluster goes on from this; null when it goes on from what it had, since nothing could be recovered. */
  recovered?(recovery: Recovery | null): void;
  invoked?(operation: Operation): void;
  completed?(operation: Operation): void;
  /** A change of the membership was acknowledged at `index`; it was to follow configuration `prevIndex`, 0 for any. */
  changed?(change: Change, index: LogIndex, prevIndex: LogIndex): void;
  /** The simulation is over, and the cluster has converged. */
  finished?(operations: readonly Operation[]): void;
}
