import type {
  DiscoveryConsensusVote,
  DiscoveryFinalConsensus,
  DiscoveryRequestAttestation,
  DiscoveryRequestConsensusVote,
} from '@discovery-raft/protocol';
import { isLeaderState } from '../machine/transition.js';
import type { NoReason } from '../policy/judgement.js';
import type { CheckedRequest } from '../policy/request-check.js';
import { checkVoteRequest } from '../policy/request-check.js';
import { slotAt, slotStart } from '../policy/slots.js';
import type { Handled } from '../refusals.js';
import { HEEDED } from '../refusals.js';
import type { Context } from './context.js';
import { raiseAlarm } from './context.js';
import type { FollowedLeader } from './followed-leader.js';
import type { MachineAccess } from './machine-access.js';
import { no } from './not-heeded.js';
import type { PublishDesk } from './publish-desk.js';
import type { RoundVoter } from './round-voter.js';

/**
 * The door for what a leader sends to a follower. Only the leader that Raft names is heard, and whatever can be checked
 * without work is checked before the machine moves: a lying leader cannot push a node's round counter ahead.
 */
export class LeaderMessages {
  readonly #context: Context;
  readonly #driver: MachineAccess;
  readonly #followed: FollowedLeader;
  readonly #voter: RoundVoter;
  readonly #desk: PublishDesk;
  #request: CheckedRequest | undefined;
  #final: DiscoveryFinalConsensus | undefined;
  /** Packets of attestation requests that are being looked at. */
  #attesting = 0;
  #held: { readonly from: string; readonly request: DiscoveryRequestConsensusVote } | undefined;

  constructor(context: Context, driver: MachineAccess, followed: FollowedLeader, voter: RoundVoter, desk: PublishDesk) {
    this.#context = context;
    this.#driver = driver;
    this.#followed = followed;
    this.#voter = voter;
    this.#desk = desk;
  }

  /** The request that the present round was entered with. */
  get request(): CheckedRequest | undefined {
    return this.#request;
  }

  /** The final set that is to be checked. */
  get final(): DiscoveryFinalConsensus | undefined {
    return this.#final;
  }

  /** A vote request. Every answer but silence towards a node that does not lead is explicit. */
  voteRequested(from: string, request: DiscoveryRequestConsensusVote): Handled {
    const { name, leaderId, round: present, lastRound } = this.#driver.machine;
    if (isLeaderState(name) || from !== leaderId) return no('senderIsNotLeader', '');
    const { fault } = this.#followed;
    if (fault !== undefined) {
      this.#voter.answer(from, this.voteNo(request, 'leaderNotVerified'));
      return no('leaderNotVerified', fault);
    }
    if (name !== 'FollowerRunning' && name !== 'FollowerConsensusVote') {
      this.#held = { from, request };
      return HEEDED;
    }
    const now = this.#context.time.wallNow();
    const check = checkVoteRequest(request, this.#context.config, now);
    if (!check.ok) {
      // While it lasts there are no directories, or none with this node's signature: somebody has to set a clock.
      if (check.reason === 'clockSkew') {
        const detail = `it is ${Math.floor(now)} here, and ${from} asks for a listing of ${request.creation}`;
        raiseAlarm(this.#context, 'clockSkew', detail);
      }
      this.#voter.answer(from, this.voteNo(request, check.reason));
      return no('wrongRound', check.reason);
    }
    const { round } = check.request;
    if (round === present) {
      if (this.#voter.repeat(check.request)) return HEEDED;
      raiseAlarm(this.#context, 'leaderEquivocated', `round ${round}`);
      this.#voter.answer(from, this.voteNo(request, 'alreadySigned'));
      return no('equivocation', `round ${round}`);
    }
    if (round <= lastRound) {
      this.#voter.answer(from, this.voteNo(request, 'staleRound'));
      return no('staleRound', `round ${round}`);
    }
    this.#request = check.request;
    this.#driver.dispatch({ type: 'voteRequested', round });
    return HEEDED;
  }

  /** A NO to a request that never became a round. */
  voteNo(request: DiscoveryRequestConsensusVote, reason: NoReason): DiscoveryConsensusVote {
    const round = Number(request.round);
    return this.#voter.voteMessage(Number.isSafeInteger(round) ? round : 0, { no: reason });
  }

  /** Takes up the vote request that came before this node was ready for it. */
  takeHeld(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined || held.from !== this.#driver.machine.leaderId) return;
    const handled = this.voteRequested(held.from, held.request);
    if (!handled.ok) this.#context.tally.refusals[handled.code]++;
  }

  /** Forgets what belongs to a round that is over. */
  drop(): void {
    this.#final = undefined;
  }

  /** The result of a round. */
  finalReceived(from: string, final: DiscoveryFinalConsensus): Handled {
    const { name, leaderId, round: present, lastRound } = this.#driver.machine;
    const { config, committees } = this.#context;
    if (isLeaderState(name) || from !== leaderId) return no('senderIsNotLeader', '');
    if (final.version !== config.protocolVersion) return no('unsupportedVersion', '');
    const round = final.round === 0n ? (present ?? 0) : Number(final.round);
    const { members } = committees.at(slotStart(config, round));
    if (final.signatures.length > members.size) return no('tooMany', 'signatures');
    const isPresent = name === 'FollowerConsensusVote' && round === present;
    if (!isPresent && !(name === 'FollowerRunning' && round > lastRound && this.#isRecent(round))) {
      return no('wrongRound', `round ${round}`);
    }
    this.#final = final;
    this.#driver.dispatch({ type: 'finalReceived', round });
    return HEEDED;
  }

  #isRecent(round: number): boolean {
    const { config, time } = this.#context;
    const now = time.wallNow();
    return (
      Number.isSafeInteger(round) &&
      round >= Math.max(1, slotAt(config, now) - 1) &&
      slotStart(config, round) <= now + config.clockToleranceSeconds
    );
  }

  /** A request for attestations of packets that the leader has in the list. */
  async attestationRequested(from: string, request: DiscoveryRequestAttestation): Promise<Handled> {
    const { name, leaderId } = this.#driver.machine;
    const { config } = this.#context;
    if (isLeaderState(name) || from !== leaderId) return no('senderIsNotLeader', '');
    if (name === 'FollowerVerifyLeader') return no('leaderNotVerified', '');
    if (request.version !== config.protocolVersion) return no('unsupportedVersion', '');
    if (request.packets.length > config.maxAttestationPackets) return no('tooMany', 'packets');
    if (this.#attesting + request.packets.length > config.maxPendingPublishes) return no('overloaded', 'attestations');
    this.#attesting += request.packets.length;
    const accepted = await Promise.all(request.packets.map((packet) => this.#desk.accept(packet))).finally(() => {
      this.#attesting -= request.packets.length;
    });
    const refused = accepted.filter(({ outcome }) => outcome.code !== 'accepted');
    const first = refused[0];
    return first === undefined ? HEEDED : no('packetRefused', `${refused.length}: ${first.outcome.code}`);
  }
}
