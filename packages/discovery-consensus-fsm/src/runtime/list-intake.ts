import type { ListedRecord, Unsubscribe } from '../ports.js';
import type { BookEntry } from './book-entry.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm } from './context.js';
import { Newcomers } from './newcomers.js';
import type { PublishDesk } from './publish-desk.js';
import type { RecordBook } from './record-book.js';

const NONE: readonly ListedRecord[] = [];

/**
 * What the shared list says goes from here to those who have to know: the book, which has it verified, and the desk, which
 * waits for what it sent on its way. And the other way round: what the list lacks is brought back to it.
 */
export class ListIntake {
  readonly #context: Context;
  readonly #book: RecordBook;
  readonly #desk: PublishDesk;
  readonly #newcomers: Newcomers;
  readonly #subscriptions: readonly Unsubscribe[];
  #authorities: string | undefined;
  /** The record that is just being told of, and its entry, when it is what this node waited for: its packet was compared then. */
  #told: ListedRecord | undefined;
  #known: BookEntry | undefined;
  /** Log index of the last freeze marker. */
  #frozenIndex = 0;

  constructor(context: Context, book: RecordBook, desk: PublishDesk) {
    this.#context = context;
    this.#book = book;
    this.#desk = desk;
    this.#newcomers = new Newcomers(context, (record) => this.#entered(record));
    this.#authorities = context.committees.newestAuthorities;
    const { list } = context.ports;
    this.#subscriptions = [
      list.onInserted((record, replaced = NONE) => {
        this.#told = record;
        this.#known = desk.seen(record);
        this.#newcomers.add(record);
        this.#told = undefined;
        for (const old of replaced) this.#left(old, record);
      }),
      list.onFrozen(({ index }) => {
        this.#frozenIndex = index;
      }),
      list.onRestored(() => {
        this.#frozenIndex = 0;
        this.lookAtAll();
      }),
    ];
  }

  /** Records of the list that were not looked at yet. */
  get pending(): number {
    return this.#newcomers.pending;
  }

  /** Looks at the whole list, a slice at a time. */
  lookAtAll(): void {
    this.#newcomers.addAll(this.#context.ports.list.view());
  }

  /** There is a newer trust root: what was judged may have to be judged anew. */
  rostersChanged(): void {
    const { newestAuthorities } = this.#context.committees;
    const isJudgedAnew = newestAuthorities !== this.#authorities;
    this.#authorities = newestAuthorities;
    this.#book.rostersChanged(isJudgedAnew);
    if (isJudgedAnew) this.#desk.own.judgeAnew();
    this.lookAtAll();
  }

  /** Brings back what is missing; whoever waits for it goes on even if that fails. */
  async requeueMissing(): Promise<void> {
    try {
      await this.#desk.own.requeueMissing();
    } catch (error) {
      raiseAlarm(this.#context, 'internal', describeFailure(error));
    }
  }

  /** After a round: forgets what nobody needs any more, and brings back what is missing. */
  async tidy(): Promise<void> {
    await this.#book.prune((entry) => this.#desk.own.needs(entry));
    await this.#desk.own.requeueMissing();
  }

  /** Hears and looks at nothing any more. */
  close(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.#newcomers.close();
  }

  /** A record gave way to another. One that came after the last freeze marker is in no frozen list. */
  #left(old: ListedRecord, by: ListedRecord): void {
    if (old.index <= this.#frozenIndex || old.expiration >= by.expiration) return;
    const own = this.#desk.own.get(old.identity);
    // A packet that this node attested stays known until it has attested, or learnt, the newer one.
    if (own === undefined || own.expiration > old.expiration) this.#book.superseded(old);
  }

  #entered(record: ListedRecord): void {
    try {
      if (record === this.#told && this.#known !== undefined) this.#book.enterKnown(record, this.#known);
      else {
        // Nobody's packet is in the list by a record that has left.
        if (record.isLive) this.#desk.seen(record);
        this.#book.enter(record, this.#desk.own.get(record.identity)?.entry);
      }
      this.#desk.own.learn(record);
    } catch (error) {
      raiseAlarm(this.#context, 'internal', describeFailure(error));
    }
  }
}
