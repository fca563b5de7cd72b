import type { Effect } from '../machine/states.js';
import { isLeaderState } from '../machine/transition.js';
import type { LeaderFault } from '../refusals.js';
import type { Context } from './context.js';
import type { ListIntake } from './list-intake.js';
import type { MachineAccess } from './machine-access.js';
import type { NamedTimers } from './named-timers.js';
import type { PublishDesk } from './publish-desk.js';

/** Pause before a leader that was not accepted is looked at again. */
const RETRY_SECONDS = 1;

/** A follower's side of leadership: looks at who leads before it follows, and sends it what was accepted. */
export class FollowedLeader {
  readonly #context: Context;
  readonly #machine: MachineAccess;
  readonly #timers: NamedTimers;
  readonly #desk: PublishDesk;
  readonly #intake: ListIntake;
  #fault: LeaderFault | undefined;
  /** The leader that accepted packets go to. */
  #routedTo: string | null = null;

  constructor(context: Context, machine: MachineAccess, timers: NamedTimers, desk: PublishDesk, intake: ListIntake) {
    this.#context = context;
    this.#machine = machine;
    this.#timers = timers;
    this.#desk = desk;
    this.#intake = intake;
  }

  /** Why the present leader is not followed; undefined when it is, or was not looked at yet. */
  get fault(): LeaderFault | undefined {
    return this.#machine.machine.name === 'FollowerVerifyLeader' ? this.#fault : undefined;
  }

  /** Looks at a leader for the first time. */
  verify(effect: Effect): void {
    this.#fault = undefined;
    this.#look(effect);
  }

  /** Looks again in a moment. */
  verifyLater(effect: Effect): void {
    this.#timers.set('verifyLeader', RETRY_SECONDS, () => this.#look(effect));
  }

  /** What was accepted goes to whoever leads. */
  forwardPending(): void {
    const { name, leaderId } = this.#machine.machine;
    if (isLeaderState(name)) return; // begins when the take-over is done
    if (leaderId === null || this.#routedTo === leaderId) return this.#desk.queue.pump();
    this.#routedTo = leaderId;
    this.#desk.routeToLeader(leaderId);
    void this.#intake.requeueMissing();
  }

  /** Nobody leads: what was accepted waits. */
  hold(): void {
    this.#routedTo = null;
    this.#desk.hold();
  }

  #look({ leaderId, term }: Effect): void {
    const { committees, ports } = this.#context;
    const { machine } = this.#machine;
    if (leaderId === null || machine.leaderId !== leaderId || machine.term !== term) return;
    const isMember = committees.present.members.has(leaderId);
    const reason = !isMember
      ? 'notMember'
      : (ports.channel.isAuthenticated?.(leaderId) ?? true)
        ? undefined
        : 'notAuthenticated';
    // It is looked at again every second, and told of once.
    if (reason !== undefined && this.#fault !== reason) this.#context.emit('leaderRefused', { leaderId, term, reason });
    this.#fault = reason;
    this.#machine.dispatch({ type: reason === undefined ? 'leaderVerified' : 'leaderRefused', leaderId, term });
  }
}
