import type {
  DiscoveryConsensusVote,
  DiscoveryDirectory,
  DiscoveryFinalConsensus,
  DiscoveryRaftPacket,
  DiscoveryRequestAttestation,
  DiscoveryRequestConsensusVote,
  DiscoverySignature,
  PublishToDiscovery,
  PublishToDiscoveryForwarded,
} from '@discovery-raft/protocol';
import type { ConsensusConfig } from './config.js';
import type { DiscoveryMessage } from './messages.js';
import type { BuiltListing } from './policy/listing.js';
import type { RootPromise, StoredDirectory } from './ports.js';
import type { RootSigningResult } from './runtime/signing-ledger.js';
import type { Handled, PublishOutcome } from './refusals.js';

/** Where a publish came from, for the rate limits. Any text; compared as it is. */
export interface PublishSource {
  /** The connection's far end. */
  readonly source: string;
  /** Its address prefix. */
  readonly prefix?: string;
}

/** What Raft's observers tell. `shutdown` counts as no leader. */
export interface RaftStatus {
  readonly state: 'follower' | 'preCandidate' | 'candidate' | 'leader' | 'shutdown';
  /** Raft server id of the leader, which is its identity; null when none is known. */
  readonly leaderId: string | null;
  readonly term: number;
}

/**
 * The operations of the documented `DiscoveryConsensus` interface under TypeScript names. `from` is always the identity
 * that the authenticated link is bound to. Handlers never reject: what they do not heed is returned and counted.
 */
export interface DiscoveryConsensusOperations {
  readonly config: ConsensusConfig;
  /** Whether this node leads. */
  isLeader(): boolean;
  /** Whether the present leader has this fingerprint (upper-case hex). */
  isLeaderFingerprint(fingerprint: string): boolean;
  /** The listing of the present list, judged at `creation` (Unix seconds; default now). */
  getFullListForPublication(creation?: number): Promise<BuiltListing>;
  /** Sends a raft packet to a member. @throws ConsensusError CONSENSUS_CHANNEL_FAILED */
  sendRaftPacket(peer: string, packet: DiscoveryRaftPacket): Promise<void>;
  /**
   * Begins the round of the present slot.
   *
   * @throws ConsensusError CONSENSUS_NOT_LEADER, CONSENSUS_ROUND_NOT_DUE
   */
  initiateVoting(): number;
  /** What this node would answer to a vote request; signs at most one listing a round. */
  vote(request: DiscoveryRequestConsensusVote): Promise<DiscoveryConsensusVote>;
  /**
   * Asks all members for their last directory and takes the newest that a quorum signed. Resolves when all are asked. With a
   * peer, only that one is asked, and only when the directory of the present slot is not here: to be called when a link is made,
   * since `start` could reach nobody without one.
   */
  recover(peer?: string): Promise<void>;
  /** Sends accepted packets that are not in the shared list yet to the leader (or writes them, when this node leads). */
  forwardPublishToDiscovery(): void;
  /** Sends the final signature set again, to one member or to all. @throws ConsensusError CONSENSUS_NO_DIRECTORY */
  sendFinalConsensus(peer?: string): Promise<void>;
  /** This node's signature over `content`. @throws ConsensusError CONSENSUS_SIGNER_FAILED */
  signDiscoveryContent(content: Uint8Array): Promise<DiscoverySignature>;
  /** A signed message of this node (WIRE.md section 5) that holds `message`. @throws ConsensusError CONSENSUS_SIGNER_FAILED */
  newSignedMessage(message: Uint8Array): Promise<Uint8Array>;
  /**
   * This node's signature over the bytes of a trust root, which the caller has judged by everything but this: whether it
   * goes together with what was signed before. It is a durable promise not to sign a listing by an older root from the
   * activation on. Not to be called before `start`.
   */
  signTrustRoot(promise: RootPromise, root: Uint8Array): Promise<RootSigningResult>;
  /** Sends the directory that this node serves. @throws ConsensusError CONSENSUS_NO_DIRECTORY, CONSENSUS_CHANNEL_FAILED */
  sendDirectory(peer: string): Promise<void>;
  /** What is served now: unexpired at this moment, or null. */
  getDirectory(): Promise<StoredDirectory | null>;

  /** Any event of a member. Sends what has to be answered. */
  onMessage(from: string, message: DiscoveryMessage): Promise<Handled>;
  onReceivedRaftPacket(from: string, packet: DiscoveryRaftPacket): Promise<Handled>;
  /**
   * A publish of anybody. With a `requestID` it resolves when the packet is in the shared list (or `confirmSeconds` have
   * passed), else as soon as it is accepted. The caller sends event 2009.
   */
  onReceivedPublishToDiscovery(source: PublishSource, message: PublishToDiscovery): Promise<PublishOutcome>;
  /**
   * {@link onReceivedPublishToDiscovery} for who takes in thousands a second.
   *
   * @param tell told once, perhaps at once; must not throw
   */
  receivePublishThen(source: PublishSource, message: PublishToDiscovery, tell: (outcome: PublishOutcome) => void): void;
  onReceivedPublishToDiscoveryForwarded(from: string, message: PublishToDiscoveryForwarded): Promise<Handled>;
  onReceivedConsensusVote(from: string, vote: DiscoveryConsensusVote): Promise<Handled>;
  onReceivedRequestConsensusVote(from: string, request: DiscoveryRequestConsensusVote): Promise<Handled>;
  onReceivedFinalConsensus(from: string, final: DiscoveryFinalConsensus): Promise<Handled>;
  onReceivedRequestAttestation(from: string, request: DiscoveryRequestAttestation): Promise<Handled>;
  onReceivedDirectory(from: string, directory: DiscoveryDirectory): Promise<Handled>;
}
