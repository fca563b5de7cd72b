import { create } from '@bufbuild/protobuf';
import {
  DiscoveryConsensusVoteSchema,
  DiscoveryConsensusVote_voteVerdict as WireVerdict,
} from '@discovery-raft/protocol';
import type { DiscoveryConsensusVote, DiscoveryFinalConsensus } from '@discovery-raft/protocol';
import type { MachineEvent } from '../machine/states.js';
import type { NoReason, NotReadyReason } from '../policy/judgement.js';
import type { Committee } from '../policy/committee.js';
import type { BuiltListing } from '../policy/listing.js';
import { sameBytes } from '../policy/bytes.js';
import type { CheckedRequest } from '../policy/request-check.js';
import { slotStart } from '../policy/slots.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm, sendCounted } from './context.js';
import { Deadline, LATE, within } from './deadline.js';
import type { FrozenLists } from './frozen-lists.js';
import type { OwnVote } from './own-vote.js';
import type { RoundResult } from './round-leader.js';
import { checkShortSignatures, checkSignatures } from './signature-set.js';
import { NO_DIGEST, type StateWatch } from './state-watch.js';

/** A round in which this node is a voter. */
interface VotedRound {
  readonly round: number;
  readonly leaderId: string;
  /** Until then the vote has to be out. */
  readonly voteDeadline: Deadline;
  readonly cancelDeadline: () => void;
  readonly request: CheckedRequest | undefined;
  listing: Promise<BuiltListing | NotReadyReason> | undefined;
  answer: DiscoveryConsensusVote | undefined;
  active: boolean;
}

/** Why a vote is no YES. */
interface Refusal {
  readonly no?: NoReason;
  readonly notReady?: NotReadyReason;
}

/** Share of the leader's waiting time after which a voter says that it is not ready. */
const READY_SHARE = 0.8;
/** What deciding and signing may take at the least, however late the listing was ready. */
const SIGNING_SECONDS = 1;

/** The voter's part of a round: build, compare, sign or refuse, check the result. Source: DISCOVERY.md section 3. */
export class RoundVoter {
  readonly #context: Context;
  readonly #frozen: FrozenLists;
  readonly #states: StateWatch;
  readonly #ownVote: OwnVote;
  readonly #dispatch: (event: MachineEvent) => void;
  #voted: VotedRound | undefined;
  #result: RoundResult | undefined;
  #failure = '';

  constructor(
    context: Context,
    frozen: FrozenLists,
    states: StateWatch,
    ownVote: OwnVote,
    dispatch: (event: MachineEvent) => void,
  ) {
    this.#context = context;
    this.#frozen = frozen;
    this.#states = states;
    this.#ownVote = ownVote;
    this.#dispatch = dispatch;
  }

  /** The round that this node is a voter in. */
  get round(): number | undefined {
    return this.#voted?.round;
  }

  /** The last result that was verified. */
  get result(): RoundResult | undefined {
    return this.#result;
  }

  /** Why the last round gave nothing here. */
  get failure(): string {
    return this.#failure;
  }

  /** Enters a round, by a vote request or (without one) by its result. A deadline is set for all of it. */
  enter(round: number, leaderId: string, request: CheckedRequest | undefined): void {
    this.drop();
    const { time } = this.#context;
    const { voteSeconds } = this.#context.config;
    this.#failure = 'no result in time';
    this.#voted = {
      round,
      leaderId,
      voteDeadline: new Deadline(time, voteSeconds * READY_SHARE),
      cancelDeadline: time.setTimer(voteSeconds * 2, () => this.#dispatch({ type: 'deadlinePassed', round })),
      request,
      listing: undefined,
      answer: undefined,
      active: true,
    };
  }

  /** Forgets the round. */
  drop(): void {
    if (this.#voted === undefined) return;
    this.#voted.active = false;
    this.#voted.cancelDeadline();
    this.#voted = undefined;
  }

  /** Decides and answers the leader. */
  cast(): void {
    const voted = this.#voted;
    if (voted?.request === undefined) return;
    this.decide(voted.request, voted.voteDeadline, voted.leaderId, () => !voted.active).then(
      (answer) => {
        if (!voted.active) return;
        voted.answer = answer;
        this.answer(voted.leaderId, answer);
      },
      (error: unknown) => raiseAlarm(this.#context, 'internal', describeFailure(error)),
    );
  }

  /** There is a newer trust root: a listing made without it is of no use, and who said that it was missing decides anew. */
  rostersChanged(): void {
    const voted = this.#voted;
    if (voted === undefined) return;
    voted.listing = undefined;
    const waited: NotReadyReason = 'rootMissing';
    if (voted.answer?.verdict === WireVerdict.notReady && voted.answer.reason === waited) this.cast();
  }

  /** The same request came again: the same answer, when there is one yet. False when it asks for something else. */
  repeat(request: CheckedRequest): boolean {
    const voted = this.#voted;
    if (voted?.request === undefined || voted.round !== request.round) return false;
    const { digest, frozenIndex } = voted.request;
    if (frozenIndex !== request.frozenIndex) return false;
    if (digest !== undefined && request.digest !== undefined && !sameBytes(digest, request.digest)) return false;
    if (voted.answer !== undefined) this.answer(voted.leaderId, voted.answer);
    return true;
  }

  /**
   * What this node says to a request whose header is in order.
   *
   * @param deadline NOT_READY when the listing cannot be built by then
   * @param leaderId who asks, to learn from it or to tell it; null when that is not known
   * @param isDropped whether nobody wants the vote any more
   */
  async decide(
    request: CheckedRequest,
    deadline: Deadline,
    leaderId: string | null,
    isDropped?: () => boolean,
  ): Promise<DiscoveryConsensusVote> {
    const vote = await this.#decide(request, deadline, leaderId, isDropped);
    const { frozenIndex } = request;
    vote.stateDigest = this.#states.knownAt(frozenIndex) ?? (await this.#states.digestAt(frozenIndex)) ?? NO_DIGEST;
    return vote;
  }

  async #decide(
    request: CheckedRequest,
    deadline: Deadline,
    leaderId: string | null,
    isDropped?: () => boolean,
  ): Promise<DiscoveryConsensusVote> {
    const committee = this.#context.committees.at(request.creation);
    const refusal = this.#rootRefusal(request, committee, leaderId);
    if (refusal !== undefined) return this.voteMessage(request.round, refusal);
    const listing = await this.#listing(request, deadline);
    if (typeof listing === 'string') return this.voteMessage(request.round, { notReady: listing });
    const state = this.#states.knownAt(request.frozenIndex) ?? (await this.#states.digestAt(request.frozenIndex));
    if (this.#stateDiffers(request, state, leaderId)) return this.voteMessage(request.round, { no: 'stateDiffers' });
    const ownDigest = request.digest ?? listing.digest;
    const decision = await within(
      deadline.butAtLeast(SIGNING_SECONDS),
      this.#ownVote.decide(request.round, committee.version, listing, ownDigest, request.shortDigest, isDropped),
    );
    if (decision === LATE) return this.voteMessage(request.round, { no: 'storeFailed' });
    if (!decision.yes) return this.voteMessage(request.round, { no: decision.reason });
    const vote = this.voteMessage(request.round, {});
    vote.signature = decision.signature;
    if (decision.shortSignature !== undefined) vote.shortSignature = decision.shortSignature;
    return vote;
  }

  /** Who holds something else than the leader signs nothing for it, whoever of them is wrong. */
  #stateDiffers(
    { frozenIndex, stateDigest }: CheckedRequest,
    own: Uint8Array | undefined,
    leaderId: string | null,
  ): boolean {
    if (frozenIndex === undefined || stateDigest === undefined || own === undefined) return false;
    if (leaderId !== null) this.#states.heard(leaderId, frozenIndex, stateDigest);
    return !sameBytes(own, stateDigest);
  }

  /** Leader and voter must mean the same nodes, and this node must be one of them. */
  #rootRefusal(
    { rootVersion }: CheckedRequest,
    { version, members }: Committee,
    leaderId: string | null,
  ): Refusal | undefined {
    const { committees, self } = this.#context;
    if (rootVersion !== undefined && rootVersion > version) {
      if (leaderId !== null) committees.missing(leaderId, rootVersion);
      return { notReady: 'rootMissing' };
    }
    if (rootVersion !== undefined && rootVersion < version) {
      if (leaderId !== null) committees.outdated(leaderId, rootVersion);
      return { no: 'rootOutdated' };
    }
    return members.has(self) ? undefined : { no: 'notMember' };
  }

  async #listing(request: CheckedRequest, deadline: Deadline): Promise<BuiltListing | NotReadyReason> {
    const { round, frozenIndex } = request;
    const building =
      frozenIndex === undefined ? this.#frozen.listingNow(round) : this.#frozen.listing(round, frozenIndex, deadline);
    const voted = this.#voted;
    if (voted !== undefined && voted.round === round) voted.listing ??= building;
    return building;
  }

  /** Sends a vote and counts it. */
  answer(leaderId: string, vote: DiscoveryConsensusVote): void {
    const { tally } = this.#context;
    if (vote.verdict === WireVerdict.yes) tally.votesYes++;
    else if (vote.verdict === WireVerdict.no) tally.votesNo++;
    else tally.votesNotReady++;
    void sendCounted(this.#context, leaderId, { event: 'discoveryConsensusVote', body: vote });
  }

  /** A vote without a signature; `yes` when neither reason is given. */
  voteMessage(round: number, { no, notReady }: Refusal): DiscoveryConsensusVote {
    const { config, ports, committees } = this.#context;
    const refusal = no === undefined ? WireVerdict.notReady : WireVerdict.no;
    return create(DiscoveryConsensusVoteSchema, {
      version: config.protocolVersion,
      verdict: no === undefined && notReady === undefined ? WireVerdict.yes : refusal,
      reason: no ?? notReady ?? '',
      round: BigInt(Math.max(0, round)),
      rootVersion: BigInt(committees.at(slotStart(config, round)).version),
      appliedIndex: BigInt(ports.appliedIndex?.() ?? ports.list.view().index),
    });
  }

  /** Checks the final set against the bytes that this node built: ends in `finalVerified` or `finalRefused`. */
  verify(final: DiscoveryFinalConsensus): void {
    const voted = this.#voted;
    if (voted === undefined) return;
    this.#verify(voted, final).then(
      (failure) => {
        if (!voted.active) return;
        this.#failure = failure ?? '';
        const type = failure === undefined ? 'finalVerified' : 'finalRefused';
        this.#dispatch({ type, round: voted.round });
      },
      (error: unknown) => {
        raiseAlarm(this.#context, 'internal', describeFailure(error));
        if (voted.active) this.#dispatch({ type: 'finalRefused', round: voted.round });
      },
    );
  }

  /** @returns why the set is refused; undefined when it is good */
  async #verify(voted: VotedRound, final: DiscoveryFinalConsensus): Promise<string | undefined> {
    const { config, committees, time } = this.#context;
    const { round } = voted;
    const committee = committees.at(slotStart(config, round));
    const { quorum } = committee;
    let listing = await voted.listing;
    if (listing === undefined || typeof listing === 'string') {
      // The vote was too early, or there was none: by now the frozen list may be complete.
      listing = await this.#frozen.listing(round, voted.request?.frozenIndex, new Deadline(time, config.voteSeconds));
    }
    if (typeof listing === 'string') return listing;
    const { bytes, digest } = listing;
    if (final.listDigest.length > 0 && !sameBytes(final.listDigest, digest)) {
      raiseAlarm(this.#context, 'listingDiffers', `round ${round}`);
      return 'digestMismatch';
    }
    const creation = slotStart(config, round);
    const answer = this.#ownVote.hasSigned(round, listing) ? voted.answer : undefined;
    const { good, refused } = await checkSignatures(
      this.#context,
      committee,
      final.signatures,
      bytes,
      creation,
      answer?.signature,
    );
    if (refused > 0) this.#context.tally.refusals.badSignature += refused;
    if (good.length < quorum) return `quorumMissing: ${good.length} of ${quorum}`;
    const shortSignatures = await checkShortSignatures(
      this.#context,
      committee,
      final.shortSignatures,
      listing.short,
      creation,
      answer?.shortSignature,
    );
    this.#result = { round, listing, signatures: good, shortSignatures };
    return undefined;
  }
}
