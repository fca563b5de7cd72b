import type { ListedAttestation, ListedRecord } from '../ports.js';
import type { Context } from './context.js';
import type { JudgedRecord, Worth } from './judged-record.js';
import type { RecordBook } from './record-book.js';
import { Pace } from './slices.js';

/** Identities that are weeded at once. */
const MAX_UNDER_WAY = 64;
const NOTHING: ReadonlySet<object> = new Set();

/**
 * The leader's search for what a lying leader has left in the list: forged packets, which claim to be newer than the real
 * ones, and forged attestations, which keep the real ones out. Nobody lists either; but while they stand, the writer takes
 * nothing beside them. A record with a forged attestation is written anew with the good ones. What is refused for its time alone
 * goes too: who has accepted it brings it again, and it is taken once it holds.
 */
export class ListWeeding {
  readonly #context: Context;
  readonly #book: RecordBook;
  #running: Promise<void> | undefined;

  constructor(context: Context, book: RecordBook) {
    this.#context = context;
    this.#book = book;
  }

  /**
   * One pass over the list; a call while one runs joins it. What cannot be written now is left for the next pass. O(n).
   *
   * @param isWanted asked after each pause; when it says no, the rest is left
   */
  run(isWanted: () => boolean): Promise<void> {
    this.#running ??= this.#pass(isWanted).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #pass(isWanted: () => boolean): Promise<void> {
    const { list, writer } = this.#context.ports;
    if (writer.removeRecords === undefined) return;
    let underWay: Promise<void>[] = [];
    const pace = new Pace(this.#context);
    const { records, judged } = await this.#book.table(list.view());
    for (let at = 0; at < records.length; at++) {
      if (pace.isDue()) {
        await pace.pause();
        if (!isWanted()) break;
      }
      const worth = this.#book.worthOf(records[at]!, judged[at]!);
      if (worth === 'good') continue;
      underWay.push(this.#weed(records[at]!, judged[at]!, worth));
      if (underWay.length < MAX_UNDER_WAY) continue;
      await Promise.all(underWay);
      underWay = [];
    }
    await Promise.all(underWay);
  }

  async #weed(record: ListedRecord, judged: JudgedRecord, worth: Worth): Promise<void> {
    const { ports, committees } = this.#context;
    const { writer } = ports;
    const refused = worth === 'doubtful' ? await this.#book.refusedNow(judged) : NOTHING;
    // Another time has made it good.
    if (worth === 'doubtful' && refused.size === 0) return;
    const isBad = (attester: string): boolean =>
      judged.slots.some((slot) => slot.attester === attester && (slot.isForged || refused.has(slot)));
    const keeps = ({ attester }: ListedAttestation): boolean => committees.known.has(attester) && !isBad(attester);
    const isForged = worth === 'forged' || refused.has(judged.entry);
    const good = isForged ? [] : record.attestations.filter(keeps);
    try {
      await writer.removeRecords?.(record.identity, ({ index }) => index === record.index);
      for (const attestation of good) void writer.upsert(record.packet, attestation).catch(() => undefined);
    } catch {
      // This node leads no more, or cannot write now.
    }
  }
}
