import { create } from '@bufbuild/protobuf';
import {
  DiscoveryConsensusVote_voteVerdict as WireVerdict,
  DiscoveryFinalConsensusSchema,
  DiscoveryRequestConsensusVoteSchema,
} from '@discovery-raft/protocol';
import type { DiscoveryConsensusVote, DiscoveryFinalConsensus, DiscoverySignature } from '@discovery-raft/protocol';
import type { MachineEvent } from '../machine/states.js';
import type { Committee } from '../policy/committee.js';
import type { NoReason } from '../policy/judgement.js';
import type { BuiltListing } from '../policy/listing.js';
import { slotExpiration, slotStart } from '../policy/slots.js';
import type { Handled } from '../refusals.js';
import { HEEDED } from '../refusals.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm, sendCounted } from './context.js';
import { Deadline, LATE, within } from './deadline.js';
import type { DirectoryShelf } from './directory-shelf.js';
import type { FrozenLists } from './frozen-lists.js';
import { no } from './not-heeded.js';
import type { OwnVote } from './own-vote.js';
import { signerOf } from './signature-set.js';
import { NO_DIGEST, type StateWatch } from './state-watch.js';
import { VoteBox } from './vote-box.js';

/** A round that this node leads. */
interface LedRound {
  readonly round: number;
  /** Who decides it, as it was known when the round began. */
  readonly committee: Committee;
  readonly box: VoteBox;
  /** Undefined until the listing is built. */
  listing: BuiltListing | undefined;
  frozenIndex: number;
  cancelTimer: () => void;
  /** To be done once when the round is over here, however it ended. */
  readonly atEnd: (() => void)[];
  collecting: boolean;
  /** The quorum is there; only stragglers are waited for. */
  closing: boolean;
  /** Signatures over the short listing, by member. */
  readonly short: Map<string, DiscoverySignature>;
  /** Members whose YES was looked at: one each, or a liar could keep the leader verifying. */
  readonly heard: Set<string>;
}

/** How a round ended. */
export interface RoundResult {
  readonly round: number;
  readonly listing: BuiltListing;
  readonly signatures: readonly DiscoverySignature[];
  /** Over the short listing: a quorum, or none at all. */
  readonly shortSignatures: readonly DiscoverySignature[];
}

const MAX_REASON_LENGTH = 64;
/** Why a leader's own signature may be missing although the listing is as it should be: the others' may do without it. */
const CANNOT_SIGN: ReadonlySet<NoReason> = new Set(['staleRound', 'alreadySigned', 'storeFailed', 'signerFailed']);

/** The leader's part of a round: freeze, ask, collect, send the final set. Source: DISCOVERY.md section 3. */
export class RoundLeader {
  readonly #context: Context;
  readonly #frozen: FrozenLists;
  readonly #states: StateWatch;
  readonly #ownVote: OwnVote;
  readonly #shelf: DirectoryShelf;
  readonly #dispatch: (event: MachineEvent) => void;
  /** Peers whose last vote had none of our extensions. */
  readonly #plain = new Set<string>();
  #led: LedRound | undefined;
  #result: RoundResult | undefined;
  #failure = '';

  constructor(
    context: Context,
    frozen: FrozenLists,
    states: StateWatch,
    ownVote: OwnVote,
    shelf: DirectoryShelf,
    dispatch: (event: MachineEvent) => void,
  ) {
    this.#context = context;
    this.#frozen = frozen;
    this.#states = states;
    this.#ownVote = ownVote;
    this.#shelf = shelf;
    this.#dispatch = dispatch;
  }

  /** The result of the last round that reached its quorum. */
  get result(): RoundResult | undefined {
    return this.#result;
  }

  /** Why the last round had no quorum. */
  get failure(): string {
    return this.#failure;
  }

  /** Begins a round: ends in `quorumReached` or `quorumMissed`, unless it is dropped. */
  begin(round: number): void {
    const { committees, time, config, self } = this.#context;
    const committee = committees.at(slotStart(config, round));
    const led: LedRound = {
      round,
      committee,
      box: new VoteBox(committee),
      listing: undefined,
      frozenIndex: 0,
      cancelTimer: () => undefined,
      atEnd: [],
      collecting: true,
      closing: false,
      short: new Map(),
      heard: new Set(),
    };
    this.drop();
    this.#led = led;
    const deadline = new Deadline(time, config.voteSeconds);
    led.cancelTimer = deadline.whenOver(() => this.#close(led, 'deadline'));
    if (!committee.members.has(self)) return this.#close(led, `not a node of trust root ${committee.version}`);
    this.#run(led, deadline).catch((error: unknown) => {
      raiseAlarm(this.#context, 'internal', describeFailure(error));
      this.#close(led, 'internal');
    });
  }

  /** Forgets the round. */
  drop(): void {
    if (this.#led === undefined) return;
    endCollecting(this.#led);
    this.#led = undefined;
  }

  async #run(led: LedRound, deadline: Deadline): Promise<void> {
    const { ports, config, self, time } = this.#context;
    const { round } = led;
    const voters = [...led.committee.members].filter((member) => member !== self);
    let marker: { readonly index: number } | typeof LATE;
    try {
      const freezing = ports.writer.freeze(round);
      // Who cannot name the frozen list signs what is there: it has to stand still.
      const release = voters.some((peer) => this.#plain.has(peer)) ? ports.writer.hold?.() : undefined;
      if (release !== undefined) led.atEnd.push(release);
      marker = await within(deadline, freezing);
    } catch (error) {
      return this.#close(led, `freeze: ${describeFailure(error)}`);
    }
    if (marker === LATE) return;
    const listing = await this.#frozen.listing(round, marker.index, deadline);
    if (typeof listing === 'string') return this.#close(led, listing);
    const isDropped = (): boolean => !led.collecting;
    const deciding = this.#ownVote.decide(round, led.committee.version, listing, undefined, undefined, isDropped);
    const own = await within(deadline, deciding);
    if (!led.collecting || own === LATE) return;
    if (!own.yes && !CANNOT_SIGN.has(own.reason)) return this.#close(led, `own vote: ${own.reason}`);
    const stateDigest = (await this.#states.digestAt(marker.index)) ?? NO_DIGEST;
    if (!led.collecting) return;
    led.listing = listing;
    led.frozenIndex = marker.index;
    led.box.cast(self, own.yes ? { verdict: 'yes', signature: own.signature } : { verdict: 'no', reason: own.reason });
    if (own.yes && own.shortSignature !== undefined) led.short.set(self, own.shortSignature);
    const { items } = listing;
    this.#context.emit('votingStarted', { round, items, frozenIndex: marker.index });
    const body = create(DiscoveryRequestConsensusVoteSchema, {
      version: config.protocolVersion,
      creation: BigInt(slotStart(config, round)),
      expiration: BigInt(slotExpiration(config, round)),
      round: BigInt(round),
      frozenIndex: BigInt(marker.index),
      listDigest: listing.digest,
      previousDigest: this.#shelf.last?.digest ?? new Uint8Array(0),
      stateDigest,
      rootVersion: BigInt(led.committee.version),
      ...(listing.short === undefined ? {} : { shortDigest: listing.short.digest }),
    });
    const ask = (peer: string): void =>
      void sendCounted(this.#context, peer, { event: 'discoveryRequestConsensusVote', body });
    for (const peer of voters) {
      if (!this.#plain.has(peer)) ask(peer);
      else led.atEnd.push(time.setTimer(config.settleSeconds, () => ask(peer)));
    }
    this.#look(led);
  }

  /** A vote comes in. A bad one is an answer too: that member gave no usable signature. */
  async vote(from: string, vote: DiscoveryConsensusVote): Promise<Handled> {
    const led = this.#led;
    const listing = led?.listing;
    if (led === undefined || listing === undefined || !led.collecting) return no('lateVote', `round ${vote.round}`);
    if (vote.version !== this.#context.config.protocolVersion) return no('unsupportedVersion', '');
    if (vote.round !== 0n && vote.round !== BigInt(led.round)) return no('wrongRound', `round ${vote.round}`);
    this.#states.heard(from, led.frozenIndex, vote.stateDigest);
    if (isPlain(vote)) this.#plain.add(from);
    else this.#plain.delete(from);
    if (led.box.hasYes(from)) return no('duplicateVote', `round ${led.round}`);
    this.#compareRoots(led, from, vote);
    const reason = vote.reason.slice(0, MAX_REASON_LENGTH);
    const verdict = verdictOf(vote);
    this.#context.emit('voteReceived', { round: led.round, from, verdict, reason });
    if (verdict !== 'yes') {
      led.box.cast(from, { verdict, reason });
      this.#look(led);
      return HEEDED;
    }
    if (led.heard.has(from)) return no('duplicateVote', `round ${led.round}`);
    led.heard.add(from);
    const { signature } = vote;
    const creation = slotStart(this.#context.config, led.round);
    const signer =
      signature === undefined
        ? undefined
        : await signerOf(this.#context, led.committee, signature, listing.bytes, creation);
    if (!led.collecting) return no('lateVote', `round ${led.round}`);
    if (signature === undefined || signer !== from) {
      led.box.cast(from, { verdict: 'no', reason: 'badSignature' });
      this.#look(led);
      return signer === undefined ? no('badSignature', 'vote') : no('wrongSigner', 'vote');
    }
    await this.#takeShort(led, from, vote.shortSignature);
    if (!led.collecting) return no('lateVote', `round ${led.round}`);
    if (!led.box.cast(from, { verdict: 'yes', signature })) return no('duplicateVote', `round ${led.round}`);
    this.#look(led);
    return HEEDED;
  }

  /** Who has the older trust root is told of the newer one. */
  #compareRoots({ committee }: LedRound, from: string, { rootVersion }: DiscoveryConsensusVote): void {
    const version = Number(rootVersion);
    if (version > committee.version) this.#context.committees.missing(from, version);
    else if (version > 0 && version < committee.version) this.#context.committees.outdated(from, version);
  }

  /** A bad signature over the short listing is counted and left out; the vote is what it is. */
  async #takeShort(led: LedRound, from: string, signature: DiscoverySignature | undefined): Promise<void> {
    const short = led.listing?.short;
    if (short === undefined || signature === undefined) return;
    const creation = slotStart(this.#context.config, led.round);
    if ((await signerOf(this.#context, led.committee, signature, short.bytes, creation)) === from)
      led.short.set(from, signature);
    else this.#context.tally.refusals.badSignature++;
  }

  /** The final set of the last round, for everybody. */
  finalMessage(result: RoundResult): DiscoveryFinalConsensus {
    return create(DiscoveryFinalConsensusSchema, {
      version: this.#context.config.protocolVersion,
      signatures: [...result.signatures],
      shortSignatures: [...result.shortSignatures],
      round: BigInt(result.round),
      listDigest: result.listing.digest,
    });
  }

  /** Sends the final set to all others; whoever does not get it asks for the directory later. */
  sendFinal(result: RoundResult): void {
    const body = this.finalMessage(result);
    for (const peer of this.#context.committees.others) {
      void sendCounted(this.#context, peer, { event: 'discoveryFinalConsensus', body });
    }
  }

  #shortSignatures({ short, committee }: LedRound): readonly DiscoverySignature[] {
    if (short.size < committee.quorum) return [];
    return [...short].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, signature]) => signature);
  }

  /** Ends the round when everybody has answered, shortly after the quorum, or when no quorum is possible. */
  #look(led: LedRound): void {
    const { standing } = led.box;
    if (standing === 'complete') return this.#close(led, '');
    if (standing === 'hopeless') return this.#close(led, 'no quorum is possible');
    if (standing !== 'quorum' || led.closing) return;
    led.closing = true;
    const { time, config } = this.#context;
    led.cancelTimer();
    led.cancelTimer = time.setTimer(config.stragglerSeconds, () => this.#close(led, ''));
  }

  #close(led: LedRound, failure: string): void {
    if (!led.collecting || this.#led !== led) return;
    endCollecting(led);
    const { round, box, listing } = led;
    const reached = box.standing === 'complete' || box.standing === 'quorum';
    if (reached && listing !== undefined) {
      this.#result = { round, listing, signatures: box.signatures, shortSignatures: this.#shortSignatures(led) };
      this.#dispatch({ type: 'quorumReached', round });
    } else {
      this.#failure = [failure, box.reasons].filter((part) => part !== '').join(': ');
      this.#dispatch({ type: 'quorumMissed', round });
    }
  }
}

function endCollecting(led: LedRound): void {
  led.collecting = false;
  led.cancelTimer();
  for (const act of led.atEnd.splice(0)) act();
}

/** Whether a vote has none of our extensions. */
function isPlain({ verdict, round }: DiscoveryConsensusVote): boolean {
  return verdict === WireVerdict.unspecified && round === 0n;
}

/** A vote without our extensions is a yes when it carries a signature. */
function verdictOf(vote: DiscoveryConsensusVote): 'yes' | 'no' | 'notReady' {
  switch (vote.verdict) {
    case WireVerdict.yes:
      return 'yes';
    case WireVerdict.notReady:
      return 'notReady';
    case WireVerdict.unspecified:
      return vote.signature === undefined ? 'no' : 'yes';
    default:
      return 'no';
  }
}
