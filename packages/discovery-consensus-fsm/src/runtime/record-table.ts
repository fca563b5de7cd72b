import type { Steps } from '@discovery-raft/psp-envelope';
import type { Committee } from '../policy/committee.js';
import { placeFrom } from '../policy/places-in.js';
import type { ListedRecord, ListedView } from '../ports.js';
import type { Judgement, JudgedRecord, Judging } from './judged-record.js';

/** What looking at a record for the first time costs, in records that were looked at before. */
const NEW_RECORD_COST = 16;

/** What a table asks of who keeps what is known of records. */
export interface KnownRecords {
  has(record: ListedRecord): boolean;
  /** What is known of a record; begins to verify what is new in it. */
  of(record: ListedRecord): JudgedRecord;
}

/**
 * The records of a view in list order, with what is known of each, and the last judgement of each that will do for other
 * times as well. Most of it is taken over from the table before, place by place: so a walk over a list that has hardly
 * changed reads a few arrays from one end to the other, and does not wait for the memory of each record.
 */
export class RecordTable {
  readonly records: ListedRecord[] = [];
  readonly judged: JudgedRecord[] = [];
  /** What the table before does not have, and what it has and this one does not. Some may be in both, and are here. */
  readonly came: JudgedRecord[] = [];
  readonly left: JudgedRecord[] = [];
  readonly #judgements: (Judgement | undefined)[] = [];
  /** The time for which each judgement holds, whole Unix seconds, both ends included. */
  readonly #from: Float64Array;
  readonly #until: Float64Array;
  /** Whom the judgements are for. */
  #committee: Committee | undefined;

  private constructor(size: number) {
    this.#from = new Float64Array(size);
    this.#until = new Float64Array(size);
  }

  static readonly EMPTY = new RecordTable(0);

  /** Makes the table of a view, in steps. What has the same records as `before` takes the least time. */
  static *of(view: ListedView, before: RecordTable, known: KnownRecords, recordsPerStep: number): Steps<RecordTable> {
    const table = new RecordTable(view.size);
    table.#committee = before.#committee;
    let place = 0;
    let cost = 0;
    for (const record of view.entries()) {
      if (before.records[place] !== record) {
        const next = placeFrom(before.records, record, place);
        for (; place < next; place++) table.left.push(before.judged[place]!);
      }
      if (before.records[place] === record) {
        table.#takeOver(before, place++);
        cost++;
      } else {
        cost += known.has(record) ? 1 : NEW_RECORD_COST;
        const judged = known.of(record);
        table.came.push(judged);
        table.#add(record, judged, undefined);
      }
      if (cost < recordsPerStep) continue;
      cost = 0;
      yield;
    }
    for (; place < before.judged.length; place++) table.left.push(before.judged[place]!);
    return table;
  }

  /** The places of those that have no judgement that holds for them then. */
  open(committee: Committee, creation: number): number[] {
    const open: number[] = [];
    for (let at = 0; at < this.records.length; at++) if (!this.#holds(at, committee, creation)) open.push(at);
    return open;
  }

  /** The judgements of all records, in their order, in steps. */
  *judge(judging: Judging, recordsPerStep: number): Steps<Judgement[]> {
    const { committee, creation } = judging;
    const judgements: Judgement[] = [];
    let since = 0;
    for (let at = 0; at < this.records.length; at++) {
      if (this.#holds(at, committee, creation)) {
        judgements.push(this.#judgements[at]!);
        continue;
      }
      judgements.push(this.#judge(at, judging));
      if (++since % recordsPerStep === 0) yield;
    }
    return judgements;
  }

  #judge(at: number, judging: Judging): Judgement {
    const judged = this.judged[at]!;
    const judgement = judged.judge(this.records[at]!, judging);
    const period = judged.periodOf(this.records[at]!, judging.creation);
    if (period === undefined) return judgement;
    if (this.#committee !== judging.committee) {
      this.#committee = judging.committee;
      this.#judgements.fill(undefined);
    }
    this.#judgements[at] = judgement;
    this.#from[at] = period.from;
    this.#until[at] = period.until;
    return judgement;
  }

  #holds(at: number, committee: Committee, creation: number): boolean {
    return (
      this.#committee === committee &&
      this.#judgements[at] !== undefined &&
      this.#from[at]! <= creation &&
      creation <= this.#until[at]!
    );
  }

  #takeOver(before: RecordTable, place: number): void {
    const at = this.#add(before.records[place]!, before.judged[place]!, before.#judgements[place]);
    this.#from[at] = before.#from[place]!;
    this.#until[at] = before.#until[place]!;
  }

  #add(record: ListedRecord, judged: JudgedRecord, judgement: Judgement | undefined): number {
    this.records.push(record);
    this.judged.push(judged);
    return this.#judgements.push(judgement) - 1;
  }
}
