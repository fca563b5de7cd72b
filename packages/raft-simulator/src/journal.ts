import type { Report, Violation } from './checkers/checker.js';
import type { VirtualClock } from './time/virtual-clock.js';
import { Trace } from './trace.js';

/** More events than any honest simulation has: something runs in circles. */
const MAX_EVENTS = 1_000_000;

/** What happened in a simulation, and the first rule that was broken. */
export class Journal {
  readonly trace: Trace;
  readonly #world: VirtualClock;
  #violation: Violation | null = null;

  /** @param recording keep readable lines too */
  constructor(world: VirtualClock, recording: boolean) {
    this.#world = world;
    this.trace = new Trace(recording);
  }

  /** The first rule that was broken, null while none was. */
  get violation(): Violation | null {
    return this.#violation;
  }

  /** Notes an event; see {@link Trace.note}. */
  note(who: string, what: string, numbers: readonly number[] = [], detail?: () => string): void {
    this.trace.note(this.#world.now, who, what, numbers, detail);
    if (this.trace.events > MAX_EVENTS) this.report('liveness', 'runs in circles', `${who}: ${what}`);
  }

  /** A rule was broken. What comes after the first one says nothing, since it may follow from it. */
  report(kind: Violation['kind'], rule: string, message: string): void {
    if (this.#violation !== null) return;
    this.#violation = { kind, rule, message, atMs: this.#world.now };
    this.note('CHECK', rule, [], () => message);
  }

  /** For a checker: reports that its rule was broken. */
  reporter(kind: Violation['kind'], rule: string): Report {
    return (message) => this.report(kind, rule, message);
  }
}
