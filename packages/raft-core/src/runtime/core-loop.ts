import type { RaftCore } from '../core/core.js';
import type { Effect } from '../core/effects.js';
import type { Input } from '../core/inputs.js';
import type { Clock, Timer } from '../ports/clock.js';
import type { Random } from '../ports/random.js';

/** What the loop needs of its node. */
export interface LoopPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly carryOut: (effect: Effect) => void;
  /** Nothing is left to be fed: the state has settled. */
  readonly settled: () => void;
  /** The core's timer came so late. */
  readonly late: (lagMs: number) => void;
  /** A step, or what it asked for, threw: the node cannot go on. */
  readonly broken: (error: unknown) => void;
}

/**
 * Feeds the core one input at a time and has its effects carried out, in order; inputs that arise meanwhile wait for their
 * turn. Also the core's one timer, and how late it is.
 */
export class CoreLoop {
  readonly #ports: LoopPorts;
  #core: RaftCore;
  #inputs: Input[] = [];
  #driving = false;
  #stopped = false;
  #timer: Timer | null = null;
  #timerAt = Infinity;
  #lagMs = 0;
  #lagMaxMs = 0;

  constructor(core: RaftCore, ports: LoopPorts) {
    this.#core = core;
    this.#ports = ports;
  }

  get core(): RaftCore {
    return this.#core;
  }

  /** Whether an input is being carried out. */
  get driving(): boolean {
    return this.#driving;
  }

  /** How late the last timer was: what the event loop takes from this node. */
  get lagMs(): number {
    return this.#lagMs;
  }

  /** How late the latest timer ever was. */
  get lagMaxMs(): number {
    return this.#lagMaxMs;
  }

  /** Starts the core, or another one in its place. */
  start(core: RaftCore): void {
    this.#core = core;
    core.start(this.#ports.clock.now(), this.#ports.random.next());
    this.#armTimer();
  }

  feed(input: Input): void {
    if (this.#stopped) return;
    this.#inputs.push(input);
    if (this.#driving) return;
    this.#driving = true;
    try {
      for (let i = 0; i < this.#inputs.length && !this.#stopped; i++) this.#step(this.#inputs[i]!);
    } catch (error) {
      this.#ports.broken(error);
    } finally {
      this.#inputs = [];
      this.#driving = false;
    }
    this.#ports.settled();
    if (!this.#stopped) this.#armTimer();
  }

  /** Takes no further input. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #step(input: Input): void {
    const effects = this.#core.step(this.#ports.clock.now(), this.#ports.random.next(), input);
    for (const effect of effects) this.#ports.carryOut(effect);
  }

  #armTimer(): void {
    const at = this.#core.nextDeadline();
    if (at >= this.#timerAt || at === Infinity) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    const armedAt = this.#ports.clock.now();
    this.#timer = this.#ports.clock.setTimer(Math.max(0, at - armedAt), () => {
      this.#timer = null;
      this.#lagMs = Math.max(0, this.#ports.clock.now() - Math.max(at, armedAt));
      this.#lagMaxMs = Math.max(this.#lagMaxMs, this.#lagMs);
      this.#ports.late(this.#lagMs);
      this.#timerAt = Infinity;
      this.feed({ type: 'tick' });
    });
  }
}
