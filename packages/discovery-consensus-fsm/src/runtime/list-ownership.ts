import { isLeaderState } from '../machine/transition.js';
import { slotAt, slotStart } from '../policy/slots.js';
import { AttestationRound } from './attestation-round.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm } from './context.js';
import { Deadline, within } from './deadline.js';
import type { ListIntake } from './list-intake.js';
import { ListWeeding } from './list-weeding.js';
import type { MachineAccess } from './machine-access.js';
import type { NamedTimers } from './named-timers.js';
import type { PublishDesk } from './publish-desk.js';
import type { RecordBook } from './record-book.js';

/** Pause before the list is taken over again. */
const RETRY_SECONDS = 1;
/** Longest sleep of a leader before it looks at the wall clock again. */
const LONGEST_SLEEP_SECONDS = 0.5;

/**
 * The leader's ownership of the list: takes it over, writes what was accepted to it, improves it, and begins a round when a
 * slot begins.
 */
export class ListOwnership {
  readonly #context: Context;
  readonly #machine: MachineAccess;
  readonly #timers: NamedTimers;
  readonly #desk: PublishDesk;
  readonly #intake: ListIntake;
  readonly #attestations: AttestationRound;
  readonly #weeding: ListWeeding;
  /** Whether the list is ours to write; false until the take-over is done. */
  #writing = false;
  /** Elapsed seconds. A new leader waits for a slot that begins later. */
  #leadsSince = 0;
  /** The round of the future that an alarm was raised for. */
  #warnedOf = 0;
  /** Over when the list is to be looked through again. */
  #enhanced: Deadline;

  constructor(
    context: Context,
    machine: MachineAccess,
    timers: NamedTimers,
    book: RecordBook,
    desk: PublishDesk,
    intake: ListIntake,
  ) {
    this.#context = context;
    this.#machine = machine;
    this.#timers = timers;
    this.#desk = desk;
    this.#intake = intake;
    this.#attestations = new AttestationRound(context, book, desk);
    this.#weeding = new ListWeeding(context, book);
    this.#enhanced = new Deadline(context.time, 0);
  }

  /** Whether a round may begin: the list is ours, and nothing else is under way. */
  get isAtRest(): boolean {
    return this.#writing && this.#machine.machine.name === 'LeaderRunning';
  }

  takeOver(term: number): void {
    const { writer } = this.#context.ports;
    this.#writing = false;
    this.#leadsSince = this.#context.time.elapsed();
    const takeOver = async (): Promise<void> => writer.takeOver();
    takeOver().then(
      () => {
        if (this.#leads(term)) {
          this.#writing = true;
          this.#desk.routeToList();
          void this.#intake.requeueMissing();
          this.awaitSlot();
        } else if (!isLeaderState(this.#machine.machine.name)) {
          void writer.stepDown();
        }
      },
      () => {
        // The leader could not make sure of its own list (a barrier failed): it tries again as long as it leads.
        if (this.#leads(term)) this.#timers.set('takeOver', RETRY_SECONDS, () => this.#retryTakeOver(term));
      },
    );
  }

  stepDown(): void {
    this.#writing = false;
    this.#timers.cancel('slot');
    const stepDown = async (): Promise<void> => this.#context.ports.writer.stepDown();
    stepDown().catch((error: unknown) => raiseAlarm(this.#context, 'internal', describeFailure(error)));
  }

  /**
   * Begins the round of a slot that has just begun, or waits for the next slot; but never for long without another look at
   * the wall clock, which may be set at any moment.
   */
  awaitSlot(): void {
    if (!this.isAtRest) return;
    const { config, time } = this.#context;
    const now = time.wallNow();
    const round = slotAt(config, now);
    const begin = slotStart(config, round);
    const isFresh = round > Math.max(0, this.#machine.machine.lastRound) && time.elapsedAt(begin) > this.#leadsSince;
    // A voter's clock may differ, so a leader that comes late does not use up the whole tolerance.
    if (isFresh && now - begin <= config.clockToleranceSeconds / 2) {
      this.#machine.dispatch({ type: 'roundDue', round });
    } else {
      this.#warnOfPast(round);
      const wait = Math.min(slotStart(config, round + 1) - now, LONGEST_SLEEP_SECONDS);
      this.#timers.set('slot', wait, () => this.awaitSlot());
    }
  }

  /** The step of a round that improves the list. */
  enhance(round: number): void {
    this.#enhanced = this.#nextEnhancement();
    const done = (): void => this.#machine.dispatch({ type: 'enhanced', round });
    within(this.#roundDeadline(), this.#enhanceList()).then(done, done);
  }

  /** Takes out what has expired, after a round; tells in time, done or not. */
  expire(done: () => void): void {
    const { ports, time } = this.#context;
    const expire = async (): Promise<unknown> => ports.writer.expire(Math.floor(time.wallNow()));
    within(this.#roundDeadline(), expire()).then(done, done);
  }

  /** To be called every now and then: the list is improved between rounds too. */
  tick(): void {
    if (!this.isAtRest || !this.#enhanced.isOver) return;
    this.#enhanced = this.#nextEnhancement();
    void this.#enhanceList();
  }

  #leads(term: number): boolean {
    const { machine } = this.#machine;
    return isLeaderState(machine.name) && machine.term === term;
  }

  #retryTakeOver(term: number): void {
    if (this.#leads(term)) this.takeOver(term);
  }

  /** A leader whose clock was ahead keeps its promise to sign no older round, so until then there are none while it leads. */
  #warnOfPast(present: number): void {
    const { lastRound } = this.#machine.machine;
    if (lastRound <= present || lastRound === this.#warnedOf) return;
    this.#warnedOf = lastRound;
    raiseAlarm(this.#context, 'clockSkew', `it is slot ${present} here, and this node has taken part in ${lastRound}`);
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
}
