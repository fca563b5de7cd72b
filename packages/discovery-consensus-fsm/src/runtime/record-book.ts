import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { Steps } from '@discovery-raft/psp-envelope';
import type { JudgedEntry } from '../policy/judgement.js';
import { heldUntil, validAt } from '../policy/verdict-period.js';
import type { FailedVerdict, ListedRecord, ListedView, PacketVerdict, SignatureVerdict } from '../ports.js';
import { keptVerdict, packetJudge, signatureJudge, type KeptVerdict } from './asking-verifier.js';
import { BookEntry, JudgedAttestation, textOf } from './book-entry.js';
import type { Context } from './context.js';
import { depends, isDoubtful, JudgedRecord, type Again, type Worth } from './judged-record.js';
import { KnownCertificates, type KnownCertificate } from './known-certificates.js';
import type { PacketSource } from './known-packet.js';
import { RecordTable } from './record-table.js';
import { inSlices, Pace } from './slices.js';
import type { Judged, Verify } from './verification-queue.js';
import { NotJudged, verdictOf, VerificationQueue, whenJudged } from './verification-queue.js';

export type { BookEntry };

/** A view that was looked through, and what was found. */
interface ViewedTable {
  readonly view: ListedView | undefined;
  readonly table: RecordTable;
}

/** Signatures of one attester over one packet that messages may bring; those in the list are always judged. */
const MAX_SIGNATURES_PER_ATTESTER = 4;

/**
 * The verdicts on everything in the list: each packet and each attestation is verified once, when it first shows up, in
 * whatever record or message that is. A verdict holds for a period; only a verdict that another time could change is
 * asked for again when a list is judged.
 */
export class RecordBook {
  readonly #context: Context;
  readonly #queue: VerificationQueue;
  readonly #entries = new Map<string, BookEntry>();
  #records = new WeakMap<ListedRecord, JudgedRecord>();
  /** The last one. */
  #table: ViewedTable = { view: undefined, table: RecordTable.EMPTY };
  /**
   * Refusals of what was good once, after its period: a certificate that has expired stays so. Each holds from that Unix
   * second on, or a node whose certificate expires would have all its signatures verified again in every round.
   */
  #over = new WeakMap<object, { readonly since: number; readonly refusal: FailedVerdict }>();
  /** Validity period of this node's own certificates, by their bytes: its own signatures are not verified each time. */
  #ownPeriod: { certificate: KnownCertificate; verdict: SignatureVerdict } | undefined;
  readonly #certificates = new KnownCertificates();
  /** Entries that may be of no more use: all others are of a record that is in the last table and in the list. */
  #suspects = new Set<BookEntry>();

  constructor(context: Context) {
    this.#context = context;
    this.#queue = new VerificationQueue(context.config.maxConcurrentVerifications);
  }

  /** Verifications under way or waiting. */
  get pending(): number {
    return this.#queue.size;
  }

  /** Begins no verification any more: a node that stops may have a whole list of them before it. */
  close(): void {
    this.#queue.close();
  }

  /**
   * There is a newer trust root. What is known of records is put together anew, as it names other members.
   *
   * @param isJudgedAnew other authorities count: all verdicts are forgotten
   */
  rostersChanged(isJudgedAnew: boolean): void {
    this.#records = new WeakMap();
    this.#table = { view: undefined, table: RecordTable.EMPTY };
    this.#over = new WeakMap();
    if (isJudgedAnew) {
      this.#entries.clear();
      return this.#suspects.clear();
    }
    this.#suspects = new Set(this.#entries.values());
    // What was not authentic may be so now: it may be a new node's own.
    for (const entry of this.#entries.values()) if (entry.verdict?.ok === false) this.forget(entry);
  }

  /** Packets that are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** The entry of a packet that somebody sent; its verification begins when the packet is new. */
  packet(packet: Uint8Array): BookEntry {
    return this.#entryOf({ packet }, packet, true);
  }

  /** The verdict on a packet, for somebody who waits for it. */
  verdict(entry: BookEntry): Promise<PacketVerdict> {
    this.#queue.hurry(entry);
    return verdictOf(entry);
  }

  /** Tells when `entry.verdict` is there, to somebody who waits for it. What is told must not throw. */
  whenJudged(entry: BookEntry, tell: () => void): void {
    if (entry.verdict === undefined) this.#queue.hurry(entry);
    whenJudged(entry, tell);
  }

  /** Forgets a packet that was refused; it is verified again should it come again. */
  forget(entry: BookEntry): void {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    this.#suspects.delete(entry);
  }

  /**
   * A newer packet took the place of this record, which is in no view that anybody may still ask of: what is known of its
   * packet is forgotten at once. All that is published between two rounds would be kept until the second of them otherwise.
   */
  superseded(record: ListedRecord): void {
    const judged = this.#records.get(record);
    if (judged === undefined || judged.isInTable) return;
    const { entry } = judged;
    if (entry.source === record && entry.verdict !== undefined) this.forget(entry);
  }

  /** The verdict on a member's signature over a packet; verified when it is new. */
  async attestation(entry: BookEntry, attester: string, signature: DiscoverySignature): Promise<SignatureVerdict> {
    let slot = entry.find(attester, signature);
    if (slot === undefined) {
      const others = entry.attestations.filter((other) => other.attester === attester);
      if (others.length >= MAX_SIGNATURES_PER_ATTESTER) return TOO_MANY_SIGNATURES;
      slot = this.#attestation(entry, attester, signature, true);
    }
    this.#queue.hurry(slot);
    return slot.verdict ?? verdictOf(slot);
  }

  /**
   * A record entered the list: verifies what is new in it.
   *
   * @param likely the entry of its packet, when that may be known: then the packet need not be hashed again
   */
  enter(record: ListedRecord, likely?: BookEntry): BookEntry {
    const isKnown = likely !== undefined && record.hasPacket(likely.peekPacket());
    return this.#judgedRecord(record, isKnown ? likely : undefined).entry;
  }

  /** {@link enter} for a record whose packet is this entry's, as the caller has found out. */
  enterKnown(record: ListedRecord, entry: BookEntry): void {
    this.#judgedRecord(record, entry);
  }

  /**
   * Remembers a signature that this node just made. Only the first one of each certificate is verified, to learn its
   * dates: then it resolves when that is done.
   */
  rememberOwn(entry: BookEntry, signature: DiscoverySignature): Promise<void> | undefined {
    const { self } = this.#context;
    const own = this.#ownPeriod;
    if (own?.certificate.is(signature.certificate) !== true) return this.#learnOwn(entry, signature);
    if (entry.find(self, signature) === undefined) {
      const slot = new JudgedAttestation(own.certificate, textOf(signature.signature));
      slot.verdict = own.verdict;
      entry.add(slot);
    }
    return undefined;
  }

  async #learnOwn(entry: BookEntry, signature: DiscoverySignature): Promise<void> {
    const { self } = this.#context;
    const verdict = await this.attestation(entry, self, signature);
    if (verdict.ok && verdict.identity === self) {
      this.#ownPeriod = { certificate: this.#certificates.of(self, signature.certificate), verdict };
    }
  }

  /** Until when this node's signature over a packet of that expiration holds, by its certificate. */
  ownWordUntil({ certificate }: DiscoverySignature, expiration: number): number {
    const own = this.#ownPeriod;
    return own?.verdict.ok && own.certificate.is(certificate) ? heldUntil(expiration, own.verdict) : expiration;
  }

  /**
   * Judges every record of a view at one moment. Waits for verdicts that are still out. O(n), but little for each record
   * that was judged before.
   *
   * @param creation Unix seconds
   */
  async judge(view: ListedView, creation: number): Promise<JudgedEntry[]> {
    const table = await this.table(view);
    const again = await this.#askAgain(table, table.open(this.#context.committees.at(creation), creation), creation);
    return this.#judge(table, creation, again);
  }

  /** The same from the verdicts that are there: a record whose verdicts are out, or that lacks some, counts for less. */
  async judgeWhatIsKnown(view: ListedView, creation: number): Promise<JudgedEntry[]> {
    const table = await this.table(view);
    const unknown = new Map<object, FailedVerdict>();
    for (const at of table.open(this.#context.committees.at(creation), creation)) {
      const judged = table.judged[at]!;
      for (const slot of [judged.entry, ...judged.slots]) {
        if (slot.verdict !== undefined && depends(slot.verdict, creation)) unknown.set(slot, NOT_KNOWN);
      }
    }
    return this.#judge(table, creation, unknown);
  }

  #judge(table: RecordTable, creation: number, again: Again): Promise<JudgedEntry[]> {
    const committee = this.#context.committees.at(creation);
    return inSlices(this.#context, table.judge({ creation, committee, again }, this.#context.config.recordsPerSlice));
  }

  /** The records of a view, with what is known of each; begins to verify what is new. O(n), but little for what was there before. */
  async table(view: ListedView): Promise<RecordTable> {
    const last = this.#table;
    if (last.view === view) return last.table;
    const known = {
      has: (record: ListedRecord): boolean => this.#records.has(record),
      of: (record: ListedRecord): JudgedRecord => this.#judgedRecord(record),
    };
    const { recordsPerSlice } = this.#context.config;
    const table = await inSlices(this.#context, RecordTable.of(view, last.table, known, recordsPerSlice));
    // Meanwhile another trust root may have come, by which nothing of this is to be taken over.
    if (this.#table === last) this.#keep(view, table);
    return table;
  }

  #keep(view: ListedView, table: RecordTable): void {
    this.#table = { view, table };
    for (const judged of table.left) {
      judged.isInTable = false;
      this.#suspects.add(judged.entry);
    }
    for (const judged of table.came) judged.isInTable = true;
  }

  /** What a record is worth, by the verdicts that are there; see {@link JudgedRecord.worth}. */
  worthOf(record: ListedRecord, judged: JudgedRecord): Worth {
    const { config, time } = this.#context;
    return judged.worth(record, time.wallNow(), config.maxLifetimeSeconds);
  }

  /**
   * Asks again about what was refused for its time, as that is looked at before any signature: whoever forges something can give
   * it any dates.
   *
   * @returns what is refused at this moment too: the entry, or attestations
   */
  async refusedNow({ entry, slots }: JudgedRecord): Promise<ReadonlySet<object>> {
    const refused = new Set<object>();
    const now = Math.floor(this.#context.time.wallNow());
    const ask = async <Verdict extends PacketVerdict | SignatureVerdict>(
      slot: Judged<Verdict>,
      verify: Verify<Verdict | FailedVerdict>,
    ): Promise<void> => {
      if (!isDoubtful(slot.verdict)) return;
      const fresh = await this.#queue.ask(verify);
      if (fresh.ok) slot.verdict = fresh;
      else if (!(fresh instanceof NotJudged)) refused.add(slot);
    };
    await Promise.all([
      ask<KeptVerdict>(entry, packetJudge(this.#context, entry, now)),
      ...slots.map((slot) => ask<SignatureVerdict>(slot, this.#signatureJudge(entry, slot, now))),
    ]);
    return refused;
  }

  /** Forgets packets that neither the list nor `isNeeded` knows any more. Takes time for what has changed since the last call. */
  prune(isNeeded: (entry: BookEntry) => boolean): Promise<void> {
    return inSlices(this.#context, this.#pruneSteps(isNeeded));
  }

  *#pruneSteps(isNeeded: (entry: BookEntry) => boolean): Steps<void> {
    const { recordsPerSlice } = this.#context.config;
    const suspects = this.#suspects;
    this.#suspects = new Set();
    let looked = 0;
    for (const entry of suspects) {
      this.#pruneEntry(entry, isNeeded);
      if (++looked % recordsPerSlice === 0) yield;
    }
  }

  #pruneEntry(entry: BookEntry, isNeeded: (entry: BookEntry) => boolean): void {
    if (this.#entries.get(entry.key) !== entry) return;
    const listed = entry.source.isLive === true ? this.#records.get(entry.source as ListedRecord) : undefined;
    if (listed === undefined && entry.verdict !== undefined && !isNeeded(entry)) return this.forget(entry);
    const isDead = (slot: JudgedAttestation): boolean =>
      slot.verdict?.ok === false && listed?.slots.includes(slot) !== true;
    if (entry.attestations.some(isDead)) entry.attestations = entry.attestations.filter((slot) => !isDead(slot));
    if (listed?.isInTable !== true) this.#suspects.add(entry);
  }

  async #askAgain(table: RecordTable, open: readonly number[], creation: number): Promise<Again> {
    const again = new Map<object, PacketVerdict | SignatureVerdict>();
    const asked: Promise<void>[] = [];
    const ask = <Verdict extends PacketVerdict | SignatureVerdict>(
      slot: Judged<Verdict>,
      verdict: Verdict,
      verify: Verify<Verdict | FailedVerdict>,
    ): void => {
      if (!depends(verdict, creation) || again.has(slot)) return;
      const over = this.#over.get(slot);
      if (over !== undefined && creation >= over.since) return void again.set(slot, over.refusal);
      again.set(slot, verdict);
      const settle = (fresh: Verdict | FailedVerdict): void => {
        again.set(slot, fresh);
        if (!verdict.ok || creation <= verdict.notAfter) return;
        // Time goes forward: a verdict whose period is over is of no more use.
        if (fresh.ok) slot.verdict = fresh;
        else if (!(fresh instanceof NotJudged)) this.#over.set(slot, { since: creation, refusal: fresh });
      };
      asked.push(this.#queue.ask(verify).then(settle));
    };
    const pace = new Pace(this.#context);
    for (const at of open) {
      const judged = table.judged[at]!;
      const { entry } = judged;
      const verdict = entry.verdict ?? (await verdictOf(entry));
      ask<KeptVerdict>(entry, verdict, packetJudge(this.#context, entry, creation));
      for (const slot of judged.slots) {
        const word = slot.verdict ?? (await verdictOf(slot));
        ask<SignatureVerdict>(slot, word, this.#signatureJudge(entry, slot, creation));
      }
      if (pace.isDue()) await pace.pause();
    }
    await Promise.all(asked);
    return again;
  }

  /** @param found the entry of its packet; left out: it is looked for */
  #judgedRecord(record: ListedRecord, found?: BookEntry): JudgedRecord {
    const held = this.#records.get(record);
    if (held !== undefined) return held;
    const isRemembered = found !== undefined && this.#entries.get(found.key) === found;
    const entry = isRemembered ? found : this.#entryOf(record, record.peekPacket(), false);
    if ((entry.source.index ?? 0) < record.index) entry.source = record;
    const slots: JudgedAttestation[] = [];
    const expirations: number[] = [];
    const { known } = this.#context.committees;
    for (const { attester, signature, expiration } of record.attestations) {
      if (!known.has(attester) || slots.some((slot) => slot.attester === attester)) continue;
      const slot = this.#attestation(entry, attester, signature, false);
      slots.push(slot);
      expirations.push(expiration);
    }
    const judged = new JudgedRecord(record, entry, slots, expirations);
    this.#records.set(record, judged);
    return judged;
  }

  #entryOf(source: PacketSource, packet: Uint8Array, isUrgent: boolean): BookEntry {
    const { ports, time } = this.#context;
    const digest = ports.sha256(packet);
    const key = textOf(digest);
    const held = this.#entries.get(key);
    if (held !== undefined) return held;
    const entry = new BookEntry(key, source, time.elapsed());
    this.#entries.set(key, entry);
    this.#suspects.add(entry);
    const atSeconds = Math.floor(time.wallNow());
    const recalled = validAt(ports.verifier.recallPacket?.(packet, digest), atSeconds);
    if (recalled !== undefined) entry.verdict = keptVerdict(this.#context, entry, packet, recalled);
    else this.#queue.judge<KeptVerdict>(entry, isUrgent, packetJudge(this.#context, entry, atSeconds));
    return entry;
  }

  #attestation(
    entry: BookEntry,
    attester: string,
    signature: DiscoverySignature,
    isUrgent: boolean,
  ): JudgedAttestation {
    const held = entry.find(attester, signature);
    if (held !== undefined) return held;
    const atSeconds = Math.floor(this.#context.time.wallNow());
    const certificate = this.#certificates.of(attester, signature.certificate);
    const slot = new JudgedAttestation(certificate, textOf(signature.signature));
    entry.add(slot);
    const recalled = validAt(this.#context.ports.verifier.recallSignature?.(signature, entry.digest), atSeconds);
    if (recalled !== undefined) slot.verdict = certificate.shared(recalled);
    else this.#queue.judge(slot, isUrgent, this.#signatureJudge(entry, slot, atSeconds));
    return slot;
  }

  #signatureJudge(entry: BookEntry, slot: JudgedAttestation, atSeconds: number): Verify<SignatureVerdict> {
    return signatureJudge(this.#context, entry, slot, atSeconds, () => this.#suspects.add(entry));
  }
}

const NOT_KNOWN: FailedVerdict = { ok: false, code: 'notKnown', timeDependent: true };
const TOO_MANY_SIGNATURES: FailedVerdict = { ok: false, code: 'tooManySignatures' };
