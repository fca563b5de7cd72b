import { ConsensusError } from '../errors.js';
import type { Effect, MachineEvent, MachineState } from '../machine/states.js';
import { INITIAL_STATE } from '../machine/states.js';
import { isLeaderState, transition } from '../machine/transition.js';
import type { RaftStatus } from '../operations.js';
import type { Unsubscribe } from '../ports.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm } from './context.js';
import { DirectoryExchange } from './directory-exchange.js';
import { DirectoryShelf } from './directory-shelf.js';
import { FollowedLeader } from './followed-leader.js';
import { FrozenLists } from './frozen-lists.js';
import { LeaderMessages } from './leader-messages.js';
import { ListIntake } from './list-intake.js';
import { ListOwnership } from './list-ownership.js';
import type { MachineAccess } from './machine-access.js';
import { NamedTimers } from './named-timers.js';
import { OwnVote } from './own-vote.js';
import { PublishDesk } from './publish-desk.js';
import { RecordBook } from './record-book.js';
import { RoundLeader } from './round-leader.js';
import type { RoundResult } from './round-leader.js';
import { RoundVoter } from './round-voter.js';
import { SigningLedger } from './signing-ledger.js';
import { StateWatch } from './state-watch.js';

/** Pause between two looks at what is due, seconds. */
const TICK_SECONDS = 0.5;
/** What clocks drift apart between two ticks is less. */
const LEAST_ADJUSTMENT_SECONDS = 1;

/**
 * Drives the reducer: feeds it events one at a time and carries its effects out. All state of the node's consensus hangs
 * here; the parts know nothing of each other's states, only of the events that they end in.
 */
export class ConsensusDriver implements MachineAccess {
  readonly book: RecordBook;
  readonly desk: PublishDesk;
  readonly shelf: DirectoryShelf;
  readonly exchange: DirectoryExchange;
  readonly leader: RoundLeader;
  readonly voter: RoundVoter;
  readonly leaderMessages: LeaderMessages;
  readonly states: StateWatch;
  readonly #context: Context;
  readonly frozen: FrozenLists;
  readonly ledger: SigningLedger;
  readonly intake: ListIntake;
  readonly #ownership: ListOwnership;
  readonly #followed: FollowedLeader;
  readonly #timers: NamedTimers;
  #subscriptions: Unsubscribe[] = [];
  #machine: MachineState = INITIAL_STATE;
  #queue: MachineEvent[] = [];
  #running = false;
  #started = false;
  #isOver = false;
  #raft: RaftStatus | undefined;
  #published: RoundResult | undefined;
  /** Version of the trust root that was in force at the last look. */
  #presentVersion: number | undefined;

  constructor(context: Context) {
    this.#context = context;
    this.#timers = new NamedTimers(context.time);
    const dispatch = (event: MachineEvent): void => this.dispatch(event);
    this.book = new RecordBook(context);
    this.desk = new PublishDesk(context, this.book);
    this.intake = new ListIntake(context, this.book, this.desk);
    this.#ownership = new ListOwnership(context, this, this.#timers, this.book, this.desk, this.intake);
    this.#followed = new FollowedLeader(context, this, this.#timers, this.desk, this.intake);
    this.shelf = new DirectoryShelf(context, this.book);
    this.exchange = new DirectoryExchange(context, this.shelf);
    this.frozen = new FrozenLists(context, this.book);
    this.ledger = new SigningLedger(context);
    this.states = new StateWatch(context, (divergence) => {
      this.shutdown();
      context.emit('stateDiverged', divergence);
    });
    const ownVote = new OwnVote(context, this.desk, this.ledger);
    this.leader = new RoundLeader(context, this.frozen, this.states, ownVote, this.shelf, dispatch);
    this.voter = new RoundVoter(context, this.frozen, this.states, ownVote, dispatch);
    this.leaderMessages = new LeaderMessages(context, this, this.#followed, this.voter, this.desk);
    this.#subscribe();
  }

  /** Where the machine is. */
  get machine(): MachineState {
    return this.#machine;
  }

  /** See `DiscoveryConsensus.start`. */
  async start(): Promise<void> {
    if (this.#started || this.#isOver) throw new ConsensusError('CONSENSUS_NOT_RUNNING', 'a node is started once');
    this.#started = true;
    try {
      const { directory, signed, promise } = await this.#context.ports.store.load();
      this.shelf.restore(directory);
      this.ledger.restore(signed, promise ?? null);
    } catch (error) {
      this.#started = false;
      throw new ConsensusError('CONSENSUS_STORE_FAILED', 'what was stored cannot be loaded', {}, error);
    }
    if (this.#isOver) throw new ConsensusError('CONSENSUS_NOT_RUNNING', 'the node was shut down while it started');
    this.intake.lookAtAll();
    this.dispatch({ type: 'start' });
    this.#tick();
    if (this.#raft !== undefined) this.raftStateChanged(this.#raft);
  }

  /** See `DiscoveryConsensus.shutdown`. */
  shutdown(): void {
    this.#isOver = true;
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#subscriptions = [];
    this.intake.close();
    this.book.close();
    this.frozen.clear();
    this.states.clear();
    this.dispatch({ type: 'shutdown' });
  }

  /** See `DiscoveryConsensus.raftStateChanged`. */
  raftStateChanged(status: RaftStatus): void {
    this.#raft = status;
    const { state, leaderId, term } = status;
    const { self } = this.#context;
    if (state === 'leader') this.dispatch({ type: 'leadershipWon', leaderId: self, term });
    else if (leaderId === null || leaderId === self || state === 'shutdown')
      this.dispatch({ type: 'leaderLost', term });
    else this.dispatch({ type: 'leaderFound', leaderId, term });
  }

  /** @throws ConsensusError CONSENSUS_NOT_LEADER, CONSENSUS_ROUND_NOT_DUE */
  initiateVoting(round: number): void {
    if (!isLeaderState(this.#machine.name)) throw new ConsensusError('CONSENSUS_NOT_LEADER', 'only a leader can');
    if (!this.#ownership.isAtRest || round <= this.#machine.lastRound || round < 1) {
      throw new ConsensusError('CONSENSUS_ROUND_NOT_DUE', 'a round is under way, or this slot had one', { round });
    }
    this.dispatch({ type: 'roundDue', round });
  }

  /** Feeds the machine. Events that come while another one is worked off wait for their turn. */
  dispatch(event: MachineEvent): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    } finally {
      this.#running = false;
    }
  }

  #step(event: MachineEvent): void {
    const before = this.#machine;
    const { state, effects } = transition(before, event);
    this.#machine = state;
    if (state.round !== null && state.round !== before.round) this.#context.tally.roundsEntered++;
    if (state.name !== before.name) {
      this.#context.emit('stateChanged', { from: before.name, to: state.name, round: state.round });
    }
    for (const effect of effects) {
      try {
        this.#perform(effect);
      } catch (error) {
        raiseAlarm(this.#context, 'internal', describeFailure(error));
      }
    }
    if (state.name === 'FollowerRunning') this.leaderMessages.takeHeld();
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'recover':
        return void this.exchange.pullFromAll();
      case 'fetchDirectory':
        return void this.exchange.pullFromAllIfBehind();
      case 'takeOverList':
        return this.#ownership.takeOver(effect.term);
      case 'stepDown':
        return this.#ownership.stepDown();
      case 'holdPending':
        return this.#followed.hold();
      case 'verifyLeader':
        return this.#followed.verify(effect);
      case 'retryVerifyLeader':
        return this.#followed.verifyLater(effect);
      case 'forwardPending':
        return this.#followed.forwardPending();
      case 'collectVotes':
        return this.leader.begin(effect.round ?? 0);
      case 'castVote':
        this.voter.enter(effect.round ?? 0, effect.leaderId ?? '', this.leaderMessages.request);
        return this.voter.cast();
      case 'verifyFinal':
        return this.#verifyFinal(effect);
      case 'publishDirectory':
        return this.#publish(effect.round ?? 0);
      case 'dropRound':
        return this.#dropRound(effect.round ?? 0);
      case 'cleanUp':
        return this.#cleanUp(effect.round ?? 0);
      case 'enhance':
        return this.#ownership.enhance(effect.round ?? 0);
      case 'awaitSlot':
        return this.#ownership.awaitSlot();
      case 'stop':
        return this.#stop();
    }
  }

  #subscribe(): void {
    const { list } = this.#context.ports;
    this.#subscriptions = [
      list.onFrozen((frozen) => {
        this.frozen.add(frozen);
        this.states.frozen(frozen, this.#machine.name !== 'Nil');
      }),
      list.onRestored(() => {
        this.frozen.clear();
        this.states.clear();
      }),
      this.#context.committees.onChanged(() => {
        this.intake.rostersChanged();
        // Who waited for a root need not any more.
        this.voter.rostersChanged();
      }),
    ];
  }

  #tick(): void {
    // First, as a listener may shut the node down.
    this.#timers.set('tick', TICK_SECONDS, () => this.#tick());
    const { time, emit } = this.#context;
    const bySeconds = time.takeAdjustment();
    if (Math.abs(bySeconds) >= LEAST_ADJUSTMENT_SECONDS) emit('clockSet', { bySeconds });
    this.#lookAtCommittee();
    this.desk.tick();
    this.#ownership.tick();
  }

  /** Tells when another trust root has come into force. */
  #lookAtCommittee(): void {
    const { version, members, quorum } = this.#context.committees.present;
    const before = this.#presentVersion;
    this.#presentVersion = version;
    if (before === undefined || before === version) return;
    this.#context.emit('committeeChanged', { version, members: members.size, quorum });
  }

  #verifyFinal({ round, leaderId }: Effect): void {
    if (this.voter.round !== round) this.voter.enter(round ?? 0, leaderId ?? '', undefined);
    const { final } = this.leaderMessages;
    if (final !== undefined) this.voter.verify(final);
  }

  #publish(round: number): void {
    const leads = isLeaderState(this.#machine.name);
    const result = leads ? this.leader.result : this.voter.result;
    if (result === undefined || result.round !== round) return;
    if (leads) this.leader.sendFinal(result);
    this.#published = result;
    const done = (): void => this.dispatch({ type: 'directoryPublished', round });
    this.shelf.publish(result).then(done, done);
  }

  #cleanUp(round: number): void {
    const leads = isLeaderState(this.#machine.name);
    this.#endRound(round, leads ? this.leader.failure : this.voter.failure);
    const done = (): void => {
      this.intake.tidy().then(
        () => this.dispatch({ type: 'cleanedUp', round }),
        (error: unknown) => {
          raiseAlarm(this.#context, 'internal', describeFailure(error));
          this.dispatch({ type: 'cleanedUp', round });
        },
      );
    };
    if (leads) this.#ownership.expire(done);
    else done();
  }

  #dropRound(round: number): void {
    this.#endRound(round, 'dropped');
  }

  #endRound(round: number, failure: string): void {
    const result = this.#published?.round === round ? this.#published : undefined;
    this.leader.drop();
    this.voter.drop();
    this.leaderMessages.drop();
    this.frozen.drop(round);
    this.#published = undefined;
    const published = result !== undefined;
    this.#context.emit('roundEnded', {
      round,
      published,
      signatures: result?.signatures.length ?? 0,
      items: result?.listing.items ?? 0,
      reason: published ? '' : failure,
    });
  }

  #stop(): void {
    this.#timers.close();
    this.desk.queue.stop();
  }
}
