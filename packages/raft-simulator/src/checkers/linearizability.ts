import { setsRegister, type Operation } from '../clients/operation.js';
import type { Checker, Report } from './checker.js';

/** A value's life: the write of it and every read that saw it. */
interface Zone {
  readonly value: string;
  /** When the first operation of the value ended; from then on it had been written. */
  firstEnd: number;
  /** When the last operation of the value began; until then it was there. */
  lastBegin: number;
}

/**
 * The clients' history is linearizable: a black box test that knows nothing of Raft, only when calls began and ended and
 * what they said. Since no value is written twice to a register, it is known which write a read saw, and the test takes
 * n log n steps (Gibbons and Korach, "Testing shared memories", 1997): each value has a zone from the first end to the
 * last begin of its operations; the history is linearizable unless two zones that run forward overlap, or one that runs
 * backward lies inside one that runs forward, or a read comes before its write.
 *
 * A write with an unknown outcome counts if somebody saw its value, and never ends; one that failed must not be seen.
 */
export class Linearizability implements Checker {
  static readonly rule = 'linearizability';
  readonly #report: Report;
  /** Place in the history of the first operation since the last disaster. */
  #from = 0;
  #initial: ReadonlyMap<string, string> = new Map();
  /** Moments between which reads prove nothing. */
  readonly #doubts: { readonly from: number; to: number }[] = [];

  constructor(report: Report) {
    this.#report = report;
  }

  /** The history before a disaster is over: what comes after it begins with what is left. */
  split(operations: readonly Operation[], initial: ReadonlyMap<string, string>): void {
    this.finished(operations);
    this.#from = operations.length;
    this.#initial = initial;
  }

  /** A restore has begun of which nobody can be sure: until one succeeds, some servers may show its state and others not. */
  doubt(moment: number): void {
    this.#doubts.push({ from: moment, to: Infinity });
  }

  /** A restore has succeeded, so it does not matter what came before. */
  certain(moment: number): void {
    for (const doubt of this.#doubts) doubt.to = Math.min(doubt.to, moment);
  }

  #isDoubtful({ kind, invokedAt, completedAt }: Operation): boolean {
    return kind === 'read' && this.#doubts.some(({ from, to }) => completedAt > from && invokedAt < to);
  }

  finished(operations: readonly Operation[]): void {
    const byKey = new Map<string, Operation[]>();
    for (const operation of operations.slice(this.#from)) {
      if ((!setsRegister(operation) && operation.kind !== 'read') || this.#isDoubtful(operation)) continue;
      const list = byKey.get(operation.key);
      if (list === undefined) byKey.set(operation.key, [operation]);
      else list.push(operation);
    }
    for (const [key, list] of byKey) {
      const why = whyNotLinearizable(list, this.#initial.get(key));
      if (why !== null) this.#report(`register ${key}: ${why}`);
    }
  }
}

/**
 * Why a history of one register is not linearizable; null when it is.
 *
 * @param before what the register held before the history began; empty for nothing
 */
export function whyNotLinearizable(operations: readonly Operation[], before = ''): string | null {
  const writes = new Map<string, Operation>();
  for (const write of operations) if (setsRegister(write) && write.value !== null) writes.set(write.value, write);
  // What was there before every write: a value that nobody writes, and that was written before everything began.
  const initial: Zone = { value: before, firstEnd: -1, lastBegin: -1 };
  const zones = new Map<string, Zone>([[before, initial]]);
  for (const write of operations) {
    if (!setsRegister(write) || write.value === null || write.outcome !== 'ok') continue;
    zones.set(write.value, { value: write.value, firstEnd: write.completedAt, lastBegin: write.invokedAt });
  }
  for (const read of operations) {
    if (read.kind !== 'read' || read.outcome !== 'ok') continue;
    let zone = initial;
    if ((read.value ?? '') !== before) {
      if (read.value === null) return 'a read sees nothing, and something was there from the beginning';
      const write = writes.get(read.value);
      if (write === undefined) return `a read sees ${read.value}, which nobody wrote`;
      if (write.outcome === 'failed') return `a read sees ${read.value}, whose write has failed`;
      if (write.invokedAt > read.completedAt) return `a read sees ${read.value} before it was written`;
      zone = zones.get(read.value) ?? { value: read.value, firstEnd: Infinity, lastBegin: write.invokedAt };
      zones.set(read.value, zone);
    }
    zone.firstEnd = Math.min(zone.firstEnd, read.completedAt);
    zone.lastBegin = Math.max(zone.lastBegin, read.invokedAt);
  }
  return conflictOf([...zones.values()]);
}

function conflictOf(zones: readonly Zone[]): string | null {
  const forward = zones.filter((zone) => zone.firstEnd < zone.lastBegin).sort((a, b) => a.firstEnd - b.firstEnd);
  for (let i = 1; i < forward.length; i++) {
    const [a, b] = [forward[i - 1]!, forward[i]!];
    if (b.firstEnd < a.lastBegin)
      return `${nameOf(a)} is still seen after ${nameOf(b)} was there, and the other way round`;
  }
  for (const inner of zones) {
    if (inner.firstEnd < inner.lastBegin) continue;
    const outer = lastStartingBefore(forward, inner.lastBegin);
    if (outer !== undefined && outer !== inner && inner.firstEnd < outer.lastBegin) {
      return `${nameOf(inner)} comes and goes while ${nameOf(outer)} is there before and after it`;
    }
  }
  return null;
}

/** The zones do not overlap and are in order. */
function lastStartingBefore(zones: readonly Zone[], moment: number): Zone | undefined {
  let low = 0;
  let high = zones.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (zones[middle]!.firstEnd < moment) low = middle + 1;
    else high = middle;
  }
  return zones[low - 1];
}

function nameOf({ value }: Zone): string {
  return value === '' ? 'the empty register' : value;
}
