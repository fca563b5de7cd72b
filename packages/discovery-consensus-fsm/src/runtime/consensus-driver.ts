import { ConsensusError } from '../errors.js';
import type { Effect, MachineEvent, MachineState } from '../machine/states.js';
import { INITIAL_STATE } from '../machine/states.js';
import { isLeaderState, transition } from '../machine/transition.js';
import type { RaftStatus } from '../operations.js';
import type { LeaderFault } from '../refusals.js';
import { slotAt, slotStart } from '../policy/slots.js';
import type { ListedRecord, Unsubscribe } from '../ports.js';
import { AttestationRound } from './attestation-round.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm } from './context.js';
import { Deadline, within } from './deadline.js';
import { DirectoryExchange } from './directory-exchange.js';
import { DirectoryShelf } from './directory-shelf.js';
import { FrozenLists } from './frozen-lists.js';
import { LeaderMessages } from './leader-messages.js';
import { ListWeeding } from './list-weeding.js';
import { Newcomers } from './newcomers.js';
import { OwnVote } from './own-vote.js';
import { PublishDesk } from './publish-desk.js';
import { RecordBook } from './record-book.js';
import { RoundLeader } from './round-leader.js';
import type { RoundResult } from './round-leader.js';
import { RoundVoter } from './round-voter.js';
import { SigningLedger } from './signing-ledger.js';
import { StateWatch } from './state-watch.js';

/** Pause before a leader that was not accepted is looked at again, and before the list is taken over again. */
const RETRY_SECONDS = 1;
/** Pause between two looks at what is due, seconds. */
const TICK_SECONDS = 0.5;
/** Longest sleep of a leader before it looks at the wall clock again. */
const LONGEST_SLEEP_SECONDS = 0.5;
/** What clocks drift apart between two ticks is less. */
const LEAST_ADJUSTMENT_SECONDS = 1;

/** Records from which on what is remembered is not looked through after every round. */
const LARGE_LIST = 10_000;
/** How much more may be remembered than is listed, as a share of that. */
const MOST_SPARE = 1 / 8;

/**
 * Drives the reducer: feeds it events one at a time and carries its effects out. All state of the node's consensus hangs
 * here; the parts know nothing of each other's states, only of the events that they end in.
 */
export class ConsensusDriver {
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
  readonly #attestations: AttestationRound;
  readonly #weeding: ListWeeding;
  readonly #newcomers: Newcomers;
  readonly #timers = new Map<string, () => void>();
  #subscriptions: Unsubscribe[] = [];
  #machine: MachineState = INITIAL_STATE;
  #queue: MachineEvent[] = [];
  #running = false;
  #started = false;
  #raft: RaftStatus | undefined;
  /** Whether the list is ours to write; false until the take-over is done. */
  #writing = false;
  /** Elapsed seconds. A new leader waits for a slot that begins later. */
  #leadsSince = 0;
  /** The round of the future that an alarm was raised for. */
  #warnedOf = 0;
  #published: RoundResult | undefined;
  #leaderFault: LeaderFault | undefined;
  /** The leader that accepted packets go to. */
  #routedTo: string | null = null;
  /** Over when the list is to be looked through again. */
  #enhanced: Deadline;
  #authorities: string | undefined;
  /** Version of the trust root that was in force at the last look. */
  #presentVersion: number | undefined;

  constructor(context: Context) {
    this.#context = context;
    this.#enhanced = new Deadline(context.time, 0);
    const dispatch = (event: MachineEvent): void => this.dispatch(event);
    this.book = new RecordBook(context);
    this.desk = new PublishDesk(context, this.book);
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
    this.leaderMessages = new LeaderMessages(context, this, this.voter, this.desk);
    this.#attestations = new AttestationRound(context, this.book, this.desk);
    this.#weeding = new ListWeeding(context, this.book);
    this.#authorities = context.committees.newestAuthorities;
    this.#newcomers = new Newcomers(context, (record) => this.#entered(record));
    this.#subscribe();
  }

  /** Where the machine is. */
  get machine(): MachineState {
    return this.#machine;
  }

  /** Why the present leader is not followed; undefined when it is, or was not looked at yet. */
  get leaderFault(): LeaderFault | undefined {
    return this.#machine.name === 'FollowerVerifyLeader' ? this.#leaderFault : undefined;
  }

  /** See `DiscoveryConsensus.start`. */
  async start(): Promise<void> {
    if (this.#started) throw new ConsensusError('CONSENSUS_NOT_RUNNING', 'a node is started once');
    this.#started = true;
    try {
      const { directory, signed, promise } = await this.#context.ports.store.load();
      this.shelf.restore(directory);
      this.ledger.restore(signed, promise ?? null);
    } catch (error) {
      this.#started = false;
      throw new ConsensusError('CONSENSUS_STORE_FAILED', 'what was stored cannot be loaded', {}, error);
    }
    this.#newcomers.addAll(this.#context.ports.list.view());
    this.dispatch({ type: 'start' });
    this.#tick();
    if (this.#raft !== undefined) this.raftStateChanged(this.#raft);
  }

  /** See `DiscoveryConsensus.shutdown`. */
  shutdown(): void {
    this.#started = true;
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#subscriptions = [];
    this.#newcomers.close();
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
    if (this.#machine.name !== 'LeaderRunning' || !this.#writing || round <= this.#machine.lastRound || round < 1) {
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
      case 'fetchDirectory':
        return void this.exchange.pullFromAll();
      case 'takeOverList':
        return this.#takeOver(effect.term);
      case 'stepDown':
        return this.#stepDown();
      case 'holdPending':
        return this.#hold();
      case 'verifyLeader':
        this.#leaderFault = undefined;
        return this.#verifyLeader(effect);
      case 'retryVerifyLeader':
        return this.#setTimer('verifyLeader', RETRY_SECONDS, () => this.#verifyLeader(effect));
      case 'forwardPending':
        return this.#forwardPending();
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
        return this.#enhance(effect.round ?? 0);
      case 'awaitSlot':
        return this.#awaitSlot();
      case 'stop':
        return this.#stop();
    }
  }

  #setTimer(name: string, seconds: number, callback: () => void): void {
    this.#timers.get(name)?.();
    const cancel = this.#context.time.setTimer(seconds, () => {
      this.#timers.delete(name);
      callback();
    });
    this.#timers.set(name, cancel);
  }

  #subscribe(): void {
    const { list } = this.#context.ports;
    this.#subscriptions = [
      list.onInserted((record) => {
        this.desk.seen(record);
        this.#newcomers.add(record);
      }),
      list.onFrozen((frozen) => {
        this.frozen.add(frozen);
        this.states.frozen(frozen, this.#machine.name !== 'Nil');
      }),
      this.#context.committees.onChanged(() => this.#rostersChanged()),
      list.onRestored(() => {
        this.frozen.clear();
        this.states.clear();
        this.#newcomers.addAll(list.view());
      }),
    ];
  }

  /** There is a newer trust root: what was judged may have to be judged anew, and who waited for it need not any more. */
  #rostersChanged(): void {
    const { newestAuthorities } = this.#context.committees;
    const isJudgedAnew = newestAuthorities !== this.#authorities;
    this.#authorities = newestAuthorities;
    this.book.rostersChanged(isJudgedAnew);
    if (isJudgedAnew) this.desk.own.judgeAnew();
    this.#newcomers.addAll(this.#context.ports.list.view());
    this.voter.rostersChanged();
  }

  #entered(record: ListedRecord): void {
    try {
      this.desk.seen(record);
      this.book.enter(record, this.desk.own.get(record.identity)?.entry);
      this.desk.own.learn(record);
    } catch (error) {
      raiseAlarm(this.#context, 'internal', describeFailure(error));
    }
  }

  /** Brings back what is missing; whoever waits for it goes on even if that fails. */
  async #requeueMissing(): Promise<void> {
    try {
      await this.desk.own.requeueMissing();
    } catch (error) {
      raiseAlarm(this.#context, 'internal', describeFailure(error));
    }
  }

  #tick(): void {
    const { time, emit } = this.#context;
    const bySeconds = time.takeAdjustment();
    if (Math.abs(bySeconds) >= LEAST_ADJUSTMENT_SECONDS) emit('clockSet', { bySeconds });
    this.#lookAtCommittee();
    this.desk.tick();
    if (this.#writing && this.#machine.name === 'LeaderRunning' && this.#enhanced.isOver) {
      this.#enhanced = this.#nextEnhancement();
      void this.#enhanceList();
    }
    this.#setTimer('tick', TICK_SECONDS, () => this.#tick());
  }

  /** Tells when another trust root has come into force. */
  #lookAtCommittee(): void {
    const { version, members, quorum } = this.#context.committees.present;
    const before = this.#presentVersion;
    this.#presentVersion = version;
    if (before === undefined || before === version) return;
    this.#context.emit('committeeChanged', { version, members: members.size, quorum });
  }

  // Leading.

  #leads(term: number): boolean {
    return isLeaderState(this.#machine.name) && this.#machine.term === term;
  }

  #takeOver(term: number): void {
    const { writer } = this.#context.ports;
    this.#writing = false;
    this.#leadsSince = this.#context.time.elapsed();
    const takeOver = async (): Promise<void> => writer.takeOver();
    takeOver().then(
      () => {
        if (this.#leads(term)) {
          this.#writing = true;
          this.desk.routeToList();
          void this.#requeueMissing();
          this.#awaitSlot();
        } else if (!isLeaderState(this.#machine.name)) {
          void writer.stepDown();
        }
      },
      () => {
        // The leader could not make sure of its own list (a barrier failed): it tries again as long as it leads.
        if (this.#leads(term)) this.#setTimer('takeOver', RETRY_SECONDS, () => this.#retryTakeOver(term));
      },
    );
  }

  #retryTakeOver(term: number): void {
    if (this.#leads(term)) this.#takeOver(term);
  }

  #stepDown(): void {
    this.#writing = false;
    this.#timers.get('slot')?.();
    const stepDown = async (): Promise<void> => this.#context.ports.writer.stepDown();
    stepDown().catch((error: unknown) => raiseAlarm(this.#context, 'internal', describeFailure(error)));
  }

  /**
   * Begins the round of a slot that has just begun, or waits for the next slot; but never for long without another look at
   * the wall clock, which may be set at any moment.
   */
  #awaitSlot(): void {
    if (!this.#writing || this.#machine.name !== 'LeaderRunning') return;
    const { config, time } = this.#context;
    const now = time.wallNow();
    const round = slotAt(config, now);
    const begin = slotStart(config, round);
    const isFresh = round > Math.max(0, this.#machine.lastRound) && time.elapsedAt(begin) > this.#leadsSince;
    // A voter's clock may differ, so a leader that comes late does not use up the whole tolerance.
    if (isFresh && now - begin <= config.clockToleranceSeconds / 2) {
      this.dispatch({ type: 'roundDue', round });
    } else {
      this.#warnOfPast(round);
      const wait = Math.min(slotStart(config, round + 1) - now, LONGEST_SLEEP_SECONDS);
      this.#setTimer('slot', wait, () => this.#awaitSlot());
    }
  }

  /** A leader whose clock was ahead keeps its promise to sign no older round, so until then there are none while it leads. */
  #warnOfPast(present: number): void {
    const { lastRound } = this.#machine;
    if (lastRound <= present || lastRound === this.#warnedOf) return;
    this.#warnedOf = lastRound;
    raiseAlarm(this.#context, 'clockSkew', `it is slot ${present} here, and this node has taken part in ${lastRound}`);
  }

  #enhance(round: number): void {
    this.#enhanced = this.#nextEnhancement();
    const done = (): void => this.dispatch({ type: 'enhanced', round });
    within(this.#roundDeadline(), this.#enhanceList()).then(done, done);
  }

  #nextEnhancement(): Deadline {
    return new Deadline(this.#context.time, this.#context.config.enhanceSeconds);
  }

  /** For a step of a round that must not hold the next one up. */
  #roundDeadline(): Deadline {
    return new Deadline(this.#context.time, this.#context.config.voteSeconds);
  }

  async #enhanceList(): Promise<void> {
    const isWanted = (): boolean => this.#writing;
    await this.#weeding.run(isWanted);
    if (isWanted()) await this.#attestations.run(isWanted);
  }

  // Following.

  #verifyLeader({ leaderId, term }: Effect): void {
    const { committees, ports } = this.#context;
    if (leaderId === null || this.#machine.leaderId !== leaderId || this.#machine.term !== term) return;
    const isMember = committees.present.members.has(leaderId);
    const reason = !isMember
      ? 'notMember'
      : (ports.channel.isAuthenticated?.(leaderId) ?? true)
        ? undefined
        : 'notAuthenticated';
    // It is looked at again every second, and told of once.
    if (reason !== undefined && this.#leaderFault !== reason)
      this.#context.emit('leaderRefused', { leaderId, term, reason });
    this.#leaderFault = reason;
    this.dispatch({ type: reason === undefined ? 'leaderVerified' : 'leaderRefused', leaderId, term });
  }

  #forwardPending(): void {
    const { name, leaderId } = this.#machine;
    if (isLeaderState(name)) return; // begins when the take-over is done
    if (leaderId === null || this.#routedTo === leaderId) return this.desk.queue.pump();
    this.#routedTo = leaderId;
    this.desk.routeToLeader(leaderId);
    void this.#requeueMissing();
  }

  #hold(): void {
    this.#routedTo = null;
    this.desk.hold();
  }

  #verifyFinal({ round, leaderId }: Effect): void {
    if (this.voter.round !== round) this.voter.enter(round ?? 0, leaderId ?? '', undefined);
    const { final } = this.leaderMessages;
    if (final !== undefined) this.voter.verify(final);
  }

  // Both.

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
      this.#tidy().then(
        () => this.dispatch({ type: 'cleanedUp', round }),
        (error: unknown) => {
          raiseAlarm(this.#context, 'internal', describeFailure(error));
          this.dispatch({ type: 'cleanedUp', round });
        },
      );
    };
    if (!leads) return done();
    const { ports, time } = this.#context;
    const expire = async (): Promise<unknown> => ports.writer.expire(Math.floor(time.wallNow()));
    within(this.#roundDeadline(), expire()).then(done, done);
  }

  async #tidy(): Promise<void> {
    const view = this.#context.ports.list.view();
    // To look through all that is remembered costs a large list more than a little of it that nobody needs any more.
    const spare = this.book.size - view.size;
    if (view.size < LARGE_LIST || spare > view.size * MOST_SPARE) {
      await this.book.prune(view, (entry) => this.desk.own.needs(entry));
    }
    await this.desk.own.requeueMissing();
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
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.desk.queue.stop();
  }
}
