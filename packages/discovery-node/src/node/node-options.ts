import type { ConsensusClock, ConsensusConfigInput } from '@discovery-raft/discovery-consensus-fsm';
import type { EnvelopeLimits } from '@discovery-raft/psp-envelope';
import type { TrustRoot, VerifyPool } from '@discovery-raft/psp-pki';
import type { Clock, Logger, RaftConfig, Random } from '@discovery-raft/raft-core';
import type { NodeIdentity } from '../pki/node-identity.js';
import type { KnownNode } from '../roots/known-nodes.js';
import type { RootKeeper } from '../roots/root-keeper.js';
import type { PeriodMemory } from '../verdicts/remembering-verifier.js';
import type { NodeStores } from './node-stores.js';
import type { SignaturePolicy } from './signature-policy.js';

/** What a node is made of. */
export interface DiscoveryNodeOptions {
  readonly identity: NodeIdentity;
  /** Whom this node believes. */
  readonly root: TrustRoot;
  /** The discovery nodes of `root`, and where they are; each identity is also a Raft server id. */
  readonly members: readonly KnownNode[];
  /** What is known of later versions of the root. Default: nothing yet, and in memory. */
  readonly roots?: RootKeeper;
  /** Settings of the consensus beside its members. */
  readonly consensus?: Omit<ConsensusConfigInput, 'members'>;
  readonly raft?: Partial<RaftConfig>;
  /** Default: in memory. */
  readonly stores?: NodeStores;
  /** Whether Raft packets are signed, and have to be; default `prefer`. */
  readonly signatures?: SignaturePolicy;
  /** Bounds on messages; default those of deployed clients. */
  readonly limits?: EnvelopeLimits;
  readonly clock?: Clock;
  /** Time as the consensus sees it; default the clock. Another one lets a demonstration pass a day in a minute. */
  readonly consensusClock?: ConsensusClock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Threads that verify and make signatures; may be shared by nodes of one process. Default libuv's pool. The caller closes it. */
  readonly verifyPool?: VerifyPool;
  /** Good verdicts of earlier lives of this node. The caller closes it. Default: none are remembered. */
  readonly verdicts?: PeriodMemory;
}
