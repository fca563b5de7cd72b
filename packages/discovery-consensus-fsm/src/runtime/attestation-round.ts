import { create } from '@bufbuild/protobuf';
import { DiscoveryRequestAttestationSchema } from '@discovery-raft/protocol';
import { heldUntil } from '../policy/verdict-period.js';
import type { ListedRecord } from '../ports.js';
import type { JudgedAttestation } from './book-entry.js';
import type { Context } from './context.js';
import { sendCounted } from './context.js';
import type { PublishDesk } from './publish-desk.js';
import type { JudgedRecord } from './judged-record.js';
import type { RecordBook } from './record-book.js';
import { Pace } from './slices.js';

/** Slots from now on in which attestations have to hold: when they end is the word of whoever led. */
const SLOTS_AHEAD = 2;
/** Requests to one peer in one pass; what is left waits for the next pass. */
const MAX_REQUESTS_PER_PASS = 64;

/**
 * The leader's search for missing attestations: what a record lacks and this node has verified before (a lying leader may
 * have taken it out, or written that it ends early) goes back into the list; packets that a member has not attested are sent to that member, and the leader
 * attests itself what it has not. Packets that came in just now are left alone, as attestations of them are probably on
 * their way.
 */
export class AttestationRound {
  readonly #context: Context;
  readonly #book: RecordBook;
  readonly #desk: PublishDesk;
  #running: Promise<void> | undefined;
  /** The identity with which the next pass begins. */
  #next = '';

  constructor(context: Context, book: RecordBook, desk: PublishDesk) {
    this.#context = context;
    this.#book = book;
    this.#desk = desk;
  }

  /**
   * One pass over the list; a call while one runs joins it. Resolves when everything is sent.
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
    const { ports, committees, self } = this.#context;
    const members = committees.known;
    const lackedBy = new Map([...members].map((member): [string, ListedRecord[]] => [member, []]));
    const lackingOf = missingFrom(members);
    const isOpen = this.#openNow();
    const { records, judged } = await this.#book.table(ports.list.view());
    const begin = records.findIndex(({ identity }) => identity >= this.#next);
    this.#next = '';
    const pace = new Pace(this.#context);
    for (let looked = 0; looked < records.length; looked++) {
      if (pace.isDue()) {
        await pace.pause();
        if (!isWanted()) return;
      }
      const at = (looked + Math.max(0, begin)) % records.length;
      const [record, known] = [records[at]!, judged[at]!];
      if (known.completeFor === members || !isOpen(record, known)) continue;
      const lacking = lackingOf(record.attesters);
      if (lacking.length > 0) this.#note(record, known, lacking, lackedBy);
      if (known.hasOwnTimes) this.#prolong(record, known, lackedBy);
      // It stays so, and there are many such records.
      else if (lacking.length === 0 && this.#book.worthOf(record, known) === 'good') known.completeFor = members;
    }
    const asked = [...lackedBy].map(([member, lacked]) =>
      member === self ? this.#attest(lacked) : this.#ask(member, lacked),
    );
    await Promise.all(asked);
  }

  /** Whether a record is one that others may be asked about at this moment. */
  #openNow(): (record: ListedRecord, known: JudgedRecord) => boolean {
    const { config, time } = this.#context;
    const now = time.wallNow();
    const seenBy = time.elapsed() - config.resendSeconds;
    return ({ expiration }, { entry: { seenAt, verdict } }) => {
      if (expiration <= now || seenAt > seenBy || verdict === undefined) return false;
      // A certificate that did not hold yet when the packet came: the others judge at their own time, and so does this node.
      return verdict.ok || verdict.timeDependent === true;
    };
  }

  /** A record lacks the word of these members: what is here goes back into the list, for the rest somebody is to be asked. */
  #note(
    record: ListedRecord,
    known: JudgedRecord,
    lacking: readonly string[],
    lackedBy: ReadonlyMap<string, ListedRecord[]>,
  ): void {
    for (const member of lacking) {
      const word = this.#wordOf(known, member);
      if (word === 'underWay') continue;
      if (word !== undefined) this.#restore(record, word);
      else this.#lack(record, member, lackedBy);
    }
  }

  /**
   * Attestations end early because the certificate does, by which they were made, or because a lying leader has written so. Who
   * made one may have another certificate by now.
   */
  #prolong(record: ListedRecord, known: JudgedRecord, lackedBy: ReadonlyMap<string, ListedRecord[]>): void {
    const { time, config } = this.#context;
    const soon = time.wallNow() + SLOTS_AHEAD * config.slotSeconds;
    for (const [attester, until] of known.endedBy(record, soon)) {
      const word = known.entry.verifiedWord(attester);
      if (word !== undefined && wordUntil(record, word) > until) this.#restore(record, word);
      else this.#lack(record, attester, lackedBy);
    }
  }

  #lack(record: ListedRecord, member: string, lackedBy: ReadonlyMap<string, ListedRecord[]>): void {
    const { self, config } = this.#context;
    const most = MAX_REQUESTS_PER_PASS * config.maxAttestationPackets;
    const lacked = lackedBy.get(member);
    if (lacked === undefined) return;
    if (member === self || lacked.length < most) lacked.push(record);
    // The next pass begins with what found no room in this one, so that nothing is left out for ever.
    else if (this.#next === '') this.#next = record.identity;
  }

  /** A word of a member that the record does not have, although it was verified here. */
  #wordOf({ entry, slots }: JudgedRecord, member: string): JudgedAttestation | 'underWay' | undefined {
    if (entry.attestations === slots) return undefined;
    if (entry.stateOfWord(member) === 'underWay') return 'underWay';
    return entry.verifiedWord(member);
  }

  async #attest(records: readonly ListedRecord[]): Promise<void> {
    await Promise.all(records.map(({ packet }) => this.#desk.accept(packet)));
  }

  #restore(record: ListedRecord, word: JudgedAttestation): void {
    const { attester, signature } = word;
    const attestation = { attester, signature, expiration: wordUntil(record, word) };
    const upsert = async (): Promise<unknown> => this.#context.ports.writer.upsert(record.packet, attestation);
    // What cannot be written now is found again in the next pass.
    upsert().catch(() => undefined);
  }

  async #ask(peer: string, records: readonly ListedRecord[]): Promise<void> {
    const { maxAttestationPackets, maxAttestationBytes, protocolVersion: version } = this.#context.config;
    let batch: Uint8Array[] = [];
    let bytes = 0;
    let requests = 0;
    const flush = async (): Promise<boolean> => {
      const body = create(DiscoveryRequestAttestationSchema, { version, packets: batch });
      batch = [];
      bytes = 0;
      requests++;
      return sendCounted(this.#context, peer, { event: 'discoveryRequestAttestation', body });
    };
    for (const record of records) {
      const packet = record.peekPacket();
      if (batch.length > 0 && (batch.length >= maxAttestationPackets || bytes + packet.length > maxAttestationBytes)) {
        if (!(await flush()) || requests >= MAX_REQUESTS_PER_PASS) return;
        // A link may take every message at once, and each is of hundreds of copies.
        await this.#context.ports.yieldNow?.();
      }
      batch.push(packet);
      bytes += packet.length;
    }
    if (batch.length > 0) await flush();
  }
}

/** Until when a verified word for a record's packet holds, Unix seconds. */
function wordUntil({ expiration }: ListedRecord, { verifiedUntil }: JudgedAttestation): number {
  return heldUntil(expiration, { notAfter: verifiedUntil });
}

/** Tells which members are not among some attesters. Most records have one of few sets of them, each the same array. */
function missingFrom(members: ReadonlySet<string>): (attesters: readonly string[]) => readonly string[] {
  const known = new Map<readonly string[], readonly string[]>();
  return (attesters) => {
    const held = known.get(attesters);
    if (held !== undefined) return held;
    const missing = [...members].filter((member) => !attesters.includes(member));
    known.set(attesters, missing);
    return missing;
  };
}
