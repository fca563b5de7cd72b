import { create } from '@bufbuild/protobuf';
import { DiscoveryRaftPacketSchema } from '@discovery-raft/protocol';
import type {
  DiscoveryConsensusVote,
  DiscoveryDirectory,
  DiscoveryDirectoryPart,
  DiscoveryFinalConsensus,
  DiscoveryRaftPacket,
  DiscoveryRequestAttestation,
  DiscoveryRequestConsensusVote,
  DiscoverySignature,
  DiscoveryStateDigest,
  PublishToDiscovery,
  PublishToDiscoveryForwarded,
  PullDiscovery,
} from '@discovery-raft/protocol';
import { DEFAULT_LIMITS } from '@discovery-raft/psp-envelope';
import type { EnvelopeLimits, PullAnswer } from '@discovery-raft/psp-envelope';
import { EventEmitter } from 'eventemitter3';
import type { ConsensusConfig, ConsensusConfigInput } from '../config.js';
import { resolveConfig } from '../config.js';
import { ConsensusError } from '../errors.js';
import type { ConsensusEvents } from '../events.js';
import type { MachineState, StateName } from '../machine/states.js';
import { isLeaderState } from '../machine/transition.js';
import type { DiscoveryMessage } from '../messages.js';
import type { DiscoveryConsensusOperations, PublishSource, RaftStatus } from '../operations.js';
import { rootClaimOf, type Committee } from '../policy/committee.js';
import type { BuiltListing } from '../policy/listing.js';
import { buildListingSteps } from '../policy/listing.js';
import { checkVoteRequest } from '../policy/request-check.js';
import { DIRECTORY_LIFETIME_SLOTS, slotAt } from '../policy/slots.js';
import type { RootPromise, StoredDirectory } from '../ports.js';
import type { RootSigningResult } from './signing-ledger.js';
import type { ConsensusCounters, Handled, PublishOutcome } from '../refusals.js';
import { HEEDED } from '../refusals.js';
import type { ConsensusPorts, Context } from './context.js';
import { makeContext } from './context.js';
import { Deadline } from './deadline.js';
import { ConsensusDriver } from './consensus-driver.js';
import { MemberDoor } from './member-door.js';
import { no } from './not-heeded.js';
import { inSlices } from './slices.js';
import type { StateAt, StateDivergence } from './state-watch.js';
import { Tally } from './tally.js';

const MAX_CERTIFICATE_BYTES = 16 * 1024;

/**
 * A discovery node's part in the consensus: takes publishes in, keeps them on their way into the shared list, leads or
 * joins rounds, and serves the directory that comes of them. It does no I/O of its own; everything goes through the
 * ports.
 *
 * Order of calls: make it before the Raft node applies anything, so that it sees every record; `start()`; then
 * `raftStateChanged` on every change of Raft's state or leader; `shutdown()` at the end, after which it is of no more use.
 *
 * @example
 * const consensus = new DiscoveryConsensus({ members }, ports);
 * await consensus.start();
 * raft.on('leaderChange', () => consensus.raftStateChanged({ state: raft.state, leaderId: raft.leader?.id ?? null, term: raft.term }));
 */
export class DiscoveryConsensus implements DiscoveryConsensusOperations {
  readonly config: ConsensusConfig;
  readonly #context: Context;
  readonly #events = new EventEmitter();
  readonly #driver: ConsensusDriver;
  readonly #door: MemberDoor;

  /** @throws ConsensusError CONSENSUS_INVALID_OPTION */
  constructor(config: ConsensusConfigInput, ports: ConsensusPorts) {
    this.config = resolveConfig(config, ports.signer.identity);
    this.#context = makeContext(this.config, ports, new Tally(), (name, ...args) => this.#emit(name, args));
    this.#driver = new ConsensusDriver(this.#context);
    this.#door = new MemberDoor(this.#context, () => this.#driver.machine.name !== 'Nil');
  }

  /** Where the state machine is. */
  get state(): StateName {
    return this.#driver.machine.name;
  }

  /** The same with the facts that its guards look at. */
  get machine(): MachineState {
    return this.#driver.machine;
  }

  /** Signatures that make a directory at this moment. */
  get quorum(): number {
    return this.committee.quorum;
  }

  /** Who decides at this moment. */
  get committee(): Committee {
    return this.#context.committees.present;
  }

  /** Who decides the round that begins then, Unix seconds. */
  committeeAt(creation: number): Committee {
    return this.#context.committees.at(creation);
  }

  /** This node's state at the last freeze marker that it told the others of; null before the first. */
  get lastState(): StateAt | null {
    return this.#driver.states.last;
  }

  /** Why this node has stopped: others hold another state. Null while that is not so. */
  get divergence(): StateDivergence | null {
    return this.#driver.states.divergence;
  }

  /** A copy of all counts. */
  get counters(): ConsensusCounters {
    const { tally } = this.#context;
    const { desk, book, intake } = this.#driver;
    return {
      publishes: { ...tally.publishes },
      refusals: { ...tally.refusals },
      alarms: { ...tally.alarms },
      roundsEntered: tally.roundsEntered,
      directoriesPublished: tally.directoriesPublished,
      votesYes: tally.votesYes,
      votesNo: tally.votesNo,
      votesNotReady: tally.votesNotReady,
      sent: tally.sent,
      sendFailures: tally.sendFailures,
      pendingForwards: desk.queue.size,
      pendingForwardBytes: desk.queue.bytes,
      pendingRecords: intake.pending,
      pendingVerifications: book.pending,
    };
  }

  /** Listens to an event; the function that comes back ends it. */
  on<Name extends keyof ConsensusEvents>(name: Name, listener: ConsensusEvents[Name]): () => void {
    const anyListener = listener as (...args: unknown[]) => void;
    const guarded = (...args: unknown[]): void => {
      try {
        anyListener(...args);
      } catch {
        this.#context.tally.alarms.internal++;
      }
    };
    this.#events.on(name, guarded);
    return () => void this.#events.off(name, guarded);
  }

  /**
   * Loads what is stored and begins. Publishes are taken and the directory is served from here on.
   *
   * @throws ConsensusError CONSENSUS_STORE_FAILED, CONSENSUS_NOT_RUNNING after a shutdown
   */
  start(): Promise<void> {
    return this.#driver.start();
  }

  /** Stops all that is under way. Idempotent. */
  shutdown(): void {
    this.#driver.shutdown();
  }

  /** To be called on every change of Raft's state, leader or term; repeating what is known does nothing. */
  raftStateChanged(status: RaftStatus): void {
    this.#driver.raftStateChanged(status);
  }

  isLeader(): boolean {
    return isLeaderState(this.#driver.machine.name);
  }

  isLeaderFingerprint(fingerprint: string): boolean {
    const { leaderId } = this.#driver.machine;
    return leaderId !== null && this.#context.committees.fingerprintOf(leaderId) === fingerprint;
  }

  async getFullListForPublication(creation?: number): Promise<BuiltListing> {
    const { ports, time, policy, committees } = this.#context;
    const at = creation ?? Math.floor(time.wallNow());
    const entries = await this.#driver.book.judge(ports.list.view(), at);
    const expiration = at + DIRECTORY_LIFETIME_SLOTS * this.config.slotSeconds;
    const committee = committees.at(at);
    const header = { version: this.config.protocolVersion, creation: at, expiration, ...rootClaimOf(committee) };
    const { shortListingBytes, recordsPerSlice: entriesPerStep } = this.config;
    const { attestationsNeeded } = committees.at(at);
    const sizes = { shortListingBytes, entriesPerStep };
    const { previous } = this.#driver.frozen;
    const input = { entries, header, policy, attestationsNeeded, sha256: ports.sha256, previous, ...sizes };
    return inSlices(this.#context, buildListingSteps(input));
  }

  async sendRaftPacket(peer: string, packet: DiscoveryRaftPacket): Promise<void> {
    const body = create(DiscoveryRaftPacketSchema, packet);
    await this.#door.send(peer, { event: 'discoveryRaftPacket', body });
  }

  initiateVoting(): number {
    const round = slotAt(this.config, this.#context.time.wallNow());
    this.#driver.initiateVoting(round);
    return round;
  }

  async vote(request: DiscoveryRequestConsensusVote): Promise<DiscoveryConsensusVote> {
    const { time } = this.#context;
    const check = checkVoteRequest(request, this.config, time.wallNow());
    if (!check.ok) return this.#driver.leaderMessages.voteNo(request, check.reason);
    const { leaderId } = this.#driver.machine;
    return this.#driver.voter.decide(check.request, new Deadline(time, this.config.voteSeconds), leaderId);
  }

  async recover(peer?: string): Promise<void> {
    const { exchange } = this.#driver;
    await (peer === undefined ? exchange.pullFromAll() : exchange.pullFrom(peer));
  }

  forwardPublishToDiscovery(): void {
    this.#driver.desk.queue.pump();
  }

  async sendFinalConsensus(peer?: string): Promise<void> {
    const { leader } = this.#driver;
    if (leader.result === undefined) {
      throw new ConsensusError('CONSENSUS_NO_DIRECTORY', 'this node has led no round to its quorum');
    }
    if (peer === undefined) leader.sendFinal(leader.result);
    else await this.#door.send(peer, { event: 'discoveryFinalConsensus', body: leader.finalMessage(leader.result) });
  }

  async signDiscoveryContent(content: Uint8Array): Promise<DiscoverySignature> {
    try {
      return await this.#context.ports.signer.sign(content);
    } catch (error) {
      throw new ConsensusError('CONSENSUS_SIGNER_FAILED', 'the signer failed', {}, error);
    }
  }

  async newSignedMessage(message: Uint8Array): Promise<Uint8Array> {
    const { certificate, signature } = await this.signDiscoveryContent(message);
    const method = certificate[0];
    if (method === undefined || certificate.length > MAX_CERTIFICATE_BYTES || signature.length !== 64) {
      throw new ConsensusError(
        'CONSENSUS_SIGNER_FAILED',
        'the signer gave no certificate or a signature of another length',
      );
    }
    const bytes = new Uint8Array(5 + message.length + signature.length + certificate.length);
    bytes[0] = method;
    new DataView(bytes.buffer).setUint32(1, message.length);
    bytes.set(message, 5);
    bytes.set(signature, 5 + message.length);
    bytes.set(certificate, 5 + message.length + signature.length);
    return bytes;
  }

  async sendDirectory(peer: string): Promise<void> {
    const served = await this.getDirectory();
    if (served === null) throw new ConsensusError('CONSENSUS_NO_DIRECTORY', 'there is no directory to serve');
    await this.#door.send(peer, { event: 'discoveryDirectory', body: served.directory });
  }

  signTrustRoot(promise: RootPromise, root: Uint8Array): Promise<RootSigningResult> {
    return this.#driver.ledger.signRoot(promise, root, this.committee.version);
  }

  /** The trust root that this node signed last; null when it signed none. */
  get rootPromise(): RootPromise | null {
    return this.#driver.ledger.promise;
  }

  getDirectory(): Promise<StoredDirectory | null> {
    return this.#driver.shelf.get();
  }

  /** The directory of a round that is served at this moment; null when there is none, whatever may be made instead. */
  get currentDirectory(): StoredDirectory | null {
    return this.#driver.shelf.unexpired;
  }

  /**
   * The messages that answer a client's pull, encoded: the directory that is served now, whole, in parts when the client
   * takes them, or the short one when it does not and the full one is too large for it. To be sent in order, each when the
   * one before was taken; they are made as they are asked for.
   *
   * @param limits what one message between this node and the client may be
   */
  async answerPull(pull: PullDiscovery, limits: EnvelopeLimits = DEFAULT_LIMITS): Promise<Iterable<PullAnswer>> {
    return await this.#driver.exchange.answer(pull, await this.getDirectory(), limits);
  }

  async onMessage(from: string, message: DiscoveryMessage): Promise<Handled> {
    switch (message.event) {
      case 'pullDiscovery':
        return this.#door.heed(from, () => this.#driver.exchange.answerPeer(from, message.body));
      case 'discoveryDirectory':
        return this.onReceivedDirectory(from, message.body);
      case 'publishToDiscovery':
        return this.#door.heed(from, () => this.#publishOfMember(from, message.body));
      case 'discoveryRaftPacket':
        return this.onReceivedRaftPacket(from, message.body);
      case 'discoveryRequestConsensusVote':
        return this.onReceivedRequestConsensusVote(from, message.body);
      case 'discoveryConsensusVote':
        return this.onReceivedConsensusVote(from, message.body);
      case 'discoveryFinalConsensus':
        return this.onReceivedFinalConsensus(from, message.body);
      case 'publishToDiscoveryForwarded':
        return this.onReceivedPublishToDiscoveryForwarded(from, message.body);
      case 'discoveryRequestAttestation':
        return this.onReceivedRequestAttestation(from, message.body);
      case 'discoveryDirectoryPart':
        return this.onReceivedDirectoryPart(from, message.body);
      case 'discoveryStateDigest':
        return this.onReceivedStateDigest(from, message.body);
      case 'publishToDiscoveryResult':
        return HEEDED;
      case 'pullTrustRoots':
      case 'trustRoots':
        // Whoever owns the chain takes these before they come here.
        return this.#door.heed(from, async () => no('malformed', message.event));
    }
  }

  onReceivedRaftPacket(from: string, packet: DiscoveryRaftPacket): Promise<Handled> {
    return this.#door.heed(from, async () => {
      const { raft } = this.#context.ports;
      if (raft === undefined) return no('noRaft', '');
      await raft.deliver(from, packet);
      return HEEDED;
    });
  }

  onReceivedPublishToDiscovery(source: PublishSource, message: PublishToDiscovery): Promise<PublishOutcome> {
    return new Promise((resolve) => this.receivePublishThen(source, message, resolve));
  }

  receivePublishThen(
    source: PublishSource,
    message: PublishToDiscovery,
    tell: (outcome: PublishOutcome) => void,
  ): void {
    if (this.#driver.machine.name !== 'Nil') return this.#driver.desk.publish(source, message, tell);
    this.#context.tally.publishes.notRunning++;
    tell({ code: 'notRunning', detail: '' });
  }

  onReceivedPublishToDiscoveryForwarded(from: string, message: PublishToDiscoveryForwarded): Promise<Handled> {
    return this.#door.heed(from, () => this.#driver.desk.forwarded(from, message));
  }

  onReceivedConsensusVote(from: string, vote: DiscoveryConsensusVote): Promise<Handled> {
    return this.#door.heed(from, async () =>
      this.isLeader() ? this.#driver.leader.vote(from, vote) : no('notLeading', 'vote'),
    );
  }

  onReceivedRequestConsensusVote(from: string, request: DiscoveryRequestConsensusVote): Promise<Handled> {
    return this.#door.heed(from, async () => this.#driver.leaderMessages.voteRequested(from, request));
  }

  onReceivedFinalConsensus(from: string, final: DiscoveryFinalConsensus): Promise<Handled> {
    return this.#door.heed(from, async () => this.#driver.leaderMessages.finalReceived(from, final));
  }

  onReceivedRequestAttestation(from: string, request: DiscoveryRequestAttestation): Promise<Handled> {
    return this.#door.heed(from, () => this.#driver.leaderMessages.attestationRequested(from, request));
  }

  onReceivedDirectory(from: string, directory: DiscoveryDirectory): Promise<Handled> {
    return this.#door.heed(from, () => this.#driver.shelf.offer(from, directory));
  }

  /** A part of a directory that `recover` asked for. */
  onReceivedDirectoryPart(from: string, part: DiscoveryDirectoryPart): Promise<Handled> {
    return this.#door.heed(from, () => this.#driver.exchange.takePart(from, part));
  }

  /** What a member's state is at a freeze marker. */
  onReceivedStateDigest(from: string, { version, index, digest }: DiscoveryStateDigest): Promise<Handled> {
    return this.#door.heed(from, async () => {
      if (version !== this.config.protocolVersion) return no('unsupportedVersion', '');
      return this.#driver.states.heard(from, Number(index), digest) ? HEEDED : no('malformed', 'stateDigest');
    });
  }

  async #publishOfMember(from: string, message: PublishToDiscovery): Promise<Handled> {
    const outcome = await this.onReceivedPublishToDiscovery({ source: from }, message);
    return outcome.code === 'accepted' ? HEEDED : no('packetRefused', outcome.code);
  }

  #emit(name: keyof ConsensusEvents, args: readonly unknown[]): void {
    this.#events.emit(name, ...args);
  }
}
