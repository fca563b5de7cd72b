import type { FailedVerdict, PacketVerdict, SignatureVerdict } from '../ports.js';
import { describeFailure } from './context.js';

/** A verdict, or the place where it will be. There are many of these, and they live long, so no promise is kept in them. */
export interface Judged<Verdict> {
  verdict: Verdict | undefined;
  /** The verification that waits for its turn. */
  job: Job | undefined;
  /** Told the verdict when it is there. */
  waiting: ((verdict: Verdict) => void)[] | undefined;
}

/** Has a verdict found: calls one of the two, once, perhaps at once. */
export type Verify<Verdict> = (tell: (verdict: Verdict) => void, failed: (error: unknown) => void) => void;

/** One verification. */
interface Job {
  readonly verify: Verify<PacketVerdict | SignatureVerdict>;
  readonly tell: (verdict: PacketVerdict | SignatureVerdict) => void;
  begun: boolean;
}

/** No verdict of the verifier's: it was not asked, or failed. */
export class NotJudged implements FailedVerdict {
  readonly ok = false;
  readonly timeDependent = true;
  readonly code: string;
  readonly detail?: string;

  constructor(code: string, detail?: string) {
    this.code = code;
    if (detail !== undefined) this.detail = detail;
  }
}

const CLOSED = new NotJudged('stopped');

/**
 * Verifications with a bound on how many are under way. What somebody waits for goes before what merely stands in the list:
 * a node that has just started may have a whole list of those before it.
 */
export class VerificationQueue {
  readonly #limit: number;
  readonly #urgent = new Line<Job>();
  readonly #background = new Line<Job>();
  #running = 0;
  #waiting = 0;
  #pumping = false;
  #closed = false;

  /** @param limit verifications under way at once, from 1 */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Verifications under way or waiting. */
  get size(): number {
    return this.#running + this.#waiting;
  }

  /** Begins none any more; what waits is refused, for now only. */
  close(): void {
    this.#closed = true;
    this.#pump();
  }

  /** Has the verdict of a slot found. @param isUrgent whether somebody waits for it */
  judge<Verdict extends PacketVerdict | SignatureVerdict>(
    slot: Judged<Verdict>,
    isUrgent: boolean,
    verify: Verify<Verdict | FailedVerdict>,
  ): void {
    slot.job = this.#add(isUrgent, verify, (verdict) => {
      slot.verdict = verdict as Verdict;
      slot.job = undefined;
      const { waiting } = slot;
      slot.waiting = undefined;
      for (const tell of waiting ?? []) tell(slot.verdict);
    });
    this.#pump();
  }

  /** Finds a verdict that is kept in no slot; somebody waits for it. */
  ask<Verdict extends PacketVerdict | SignatureVerdict>(
    verify: Verify<Verdict | FailedVerdict>,
  ): Promise<Verdict | FailedVerdict> {
    return new Promise((resolve) => {
      this.#add(true, verify, (verdict) => resolve(verdict as Verdict));
      this.#pump();
    });
  }

  /** Somebody waits for a verdict now: it goes before those that nobody waits for. */
  hurry({ job }: Judged<PacketVerdict> | Judged<SignatureVerdict>): void {
    if (job !== undefined && !job.begun) this.#urgent.push(job);
  }

  #add(isUrgent: boolean, verify: Job['verify'], tell: Job['tell']): Job {
    const job: Job = { verify, tell, begun: false };
    (isUrgent ? this.#urgent : this.#background).push(job);
    this.#waiting++;
    return job;
  }

  #pump(): void {
    // A verdict that is there at once leads back here: the loop that waits for it goes on, however many there are.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#running < this.#limit || this.#closed) {
        const job = this.#urgent.shift() ?? this.#background.shift();
        if (job === undefined) return;
        // What was hurried stands in both lines.
        if (job.begun) continue;
        job.begun = true;
        this.#waiting--;
        if (this.#closed) job.tell(CLOSED);
        else this.#run(job);
      }
    } finally {
      this.#pumping = false;
    }
  }

  #run(job: Job): void {
    this.#running++;
    let isOver = false;
    const settle = (verdict: PacketVerdict | SignatureVerdict): void => {
      if (isOver) return;
      isOver = true;
      this.#running--;
      job.tell(verdict);
      this.#pump();
    };
    const failed = (error: unknown): void => settle(failureOf(error));
    try {
      job.verify(settle, failed);
    } catch (error) {
      if (isOver) throw error;
      failed(error);
    }
  }
}

/** Tells the verdict: at once when it is there. What is told must not throw. */
export function whenJudged<Verdict>(slot: Judged<Verdict>, tell: (verdict: Verdict) => void): void {
  if (slot.verdict === undefined) (slot.waiting ??= []).push(tell);
  else tell(slot.verdict);
}

/** The verdict, as soon as it is there. */
export function verdictOf<Verdict>(slot: Judged<Verdict>): Promise<Verdict> {
  return new Promise((resolve) => whenJudged(slot, resolve));
}

/** First in, first out, in amortised constant time. */
class Line<T> {
  #items: T[] = [];
  #head = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** A verifier that fails, against its contract, refuses; it is asked again the next time. */
function failureOf(error: unknown): FailedVerdict {
  return new NotJudged('verifierFailed', describeFailure(error));
}
