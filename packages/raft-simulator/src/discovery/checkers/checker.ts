import type { ConsensusEvents, PublishOutcome, StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoveryRequestConsensusVote } from '@discovery-raft/protocol';
import type { StoredRecord, ListView } from '@discovery-raft/raft-log-list';
import type { Violation } from '../../checkers/checker.js';
import type { ReadListing } from '../crypto/listings.js';
import type { DiscoveryProcess, DiscoverySimNode } from '../node/discovery-node.js';

/** A signature over a listing, the moment it is made. */
export interface SignedListing {
  readonly identity: string;
  /** The honest node that made it, null for a liar's. */
  readonly node: DiscoverySimNode | null;
  readonly listing: ReadListing;
}

/** A packet that somebody published, and how that ended. */
export interface Receipt {
  readonly packet: Uint8Array;
  readonly node: DiscoverySimNode;
  readonly process: DiscoveryProcess;
  /** The publisher asked to be told once the packet is in the shared list. */
  readonly confirmed: boolean;
  readonly outcome: PublishOutcome;
}

/** Reports a broken rule; the simulation ends after the turn. */
export type Report = (message: string) => void;

/**
 * Watches a simulation for one rule. It sees signatures, messages, lists and what honest nodes hand out, and works out
 * for itself what is right. Every hook is optional.
 */
export interface DiscoveryChecker {
  /** Somebody signed a listing. */
  listingSigned?(signed: SignedListing): void;
  /** Somebody signed the next trust root. */
  rootSigned?(identity: string): void;
  /** A member signed a publisher's packet. */
  packetSigned?(identity: string, packet: Uint8Array): void;
  /** An honest node is about to be handed a vote request. */
  requestArriving?(node: DiscoverySimNode, from: string, request: DiscoveryRequestConsensusVote): void;
  /** An honest node begins to lead a round. */
  led?(node: DiscoverySimNode, round: number): void;
  /** An honest node hands this out to whoever asks. */
  served?(node: DiscoverySimNode, directory: StoredDirectory): void;
  /** A directory went public at an honest node. */
  published?(node: DiscoverySimNode, directory: StoredDirectory): void;
  /** An honest node's process is about to start. */
  starting?(node: DiscoverySimNode, process: DiscoveryProcess): void;
  /** An honest node's process has died. */
  died?(node: DiscoverySimNode, process: DiscoveryProcess): void;
  inserted?(node: DiscoverySimNode, record: StoredRecord): void;
  deleted?(node: DiscoverySimNode, record: StoredRecord): void;
  /** An honest node's list as of an index, complete. */
  viewed?(node: DiscoverySimNode, view: ListView): void;
  receipt?(receipt: Receipt): void;
  alarm?(node: DiscoverySimNode, alarm: Parameters<ConsensusEvents['alarmRaised']>[0]): void;
  refused?(node: DiscoverySimNode, refusal: Parameters<ConsensusEvents['messageRefused']>[0]): void;
  /** An honest node came to grief by itself. */
  failed?(node: DiscoverySimNode, what: string): void;
  /** The end of a slot in which everything must have worked. */
  goodSlot?(round: number): void;
}

export type { Violation };
