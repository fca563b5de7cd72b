import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { Steps } from '@discovery-raft/psp-envelope';
import { itemFault } from '../policy/item-rules.js';
import type { Committee } from '../policy/committee.js';
import type { JudgedEntry } from '../policy/judgement.js';
import { sameBytes } from '../policy/listing.js';
import type {
  FailedVerdict,
  ListedRecord,
  ListedView,
  PacketVerdict,
  SignatureVerdict,
  VerdictPeriod,
  VerifiedPacket,
} from '../ports.js';
import type { Context } from './context.js';
import { inSlices, Pace } from './slices.js';
import type { Judged } from './verification-queue.js';
import { verdictOf, VerificationQueue } from './verification-queue.js';

interface JudgedAttestation extends Judged<SignatureVerdict> {
  /** The last pruning before which it was seen in the list, or came in. */
  liveIn: number;
  readonly attester: string;
  /** The bytes as the newest record carries them, so that those of older ones can be freed. */
  signature: DiscoverySignature;
}

/** What has the bytes of a packet: a record of the list, or a message. */
interface PacketSource {
  readonly packet: Uint8Array;
}

/** What is known of one packet, in whichever records it stands. */
export class BookEntry implements Judged<PacketVerdict> {
  verdict: PacketVerdict | undefined = undefined;
  job: Judged<PacketVerdict>['job'] = undefined;
  waiting: Judged<PacketVerdict>['waiting'] = undefined;
  /** The last pruning before which it was seen in the list, or came in. */
  liveIn: number;
  /** SHA-256 of the packet, as a string of 32 code units. */
  readonly key: string;
  /** What has the bytes: the newest record with them, so that they are there once, or who sent them. */
  source: PacketSource;
  /** Length of the packet. */
  readonly packetBytes: number;
  /** When this node first saw the packet, in elapsed seconds. */
  readonly seenAt: number;
  attestations: JudgedAttestation[] = [];

  constructor(key: string, source: PacketSource, packetBytes: number, seenAt: number, liveIn: number) {
    this.key = key;
    this.source = source;
    this.packetBytes = packetBytes;
    this.seenAt = seenAt;
    this.liveIn = liveIn;
  }

  /** The bytes; of a record, a copy each time. */
  get packet(): Uint8Array {
    return this.source.packet;
  }
}

interface JudgedRecord {
  readonly entry: BookEntry;
  /** Attestations of members; each attester once, as the list keeps them. */
  readonly attestations: readonly JudgedAttestation[];
  /** Unix seconds until which the attestation with the same place holds. */
  readonly expirations: readonly number[];
  /** The verdict that was held against the list's claims and the rules last, and what came of it. */
  checked: VerifiedPacket | undefined;
  fits: boolean;
  /** The packet and every attestation were found to be by whom they name: they stay so. */
  isGood: boolean;
  lasting: LastingJudgement | undefined;
}

/** What a record is found to be at every time from `from` up to `notAfter`, before `before`, for one committee. */
interface LastingJudgement {
  readonly committee: Committee;
  readonly from: number;
  readonly notAfter: number;
  readonly before: number;
  readonly entry: JudgedEntry;
}

/** A record that has to be judged, and its place among all. */
interface OpenRecord {
  readonly record: ListedRecord;
  readonly judged: JudgedRecord;
  readonly at: number;
}

/** Verdicts for another time than the one at which they were first given, by the slot that holds those. */
type Again = ReadonlyMap<object, PacketVerdict | SignatureVerdict>;

/** For what records are judged. */
interface Judging {
  readonly creation: number;
  readonly committee: Committee;
  readonly again: Again;
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
  /** Validity period of this node's own certificates, by their bytes: its own signatures are not verified each time. */
  #ownPeriod: { certificate: Uint8Array; verdict: SignatureVerdict } | undefined;
  #prunings = 0;

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
    if (isJudgedAnew) return this.#entries.clear();
    // What was not authentic may be so now: it may be a new node's own.
    for (const entry of this.#entries.values()) if (entry.verdict?.ok === false) this.#entries.delete(entry.key);
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

  /** Forgets a packet that was refused; it is verified again should it come again. */
  forget(entry: BookEntry): void {
    this.#entries.delete(entry.key);
  }

  /** The verdict on a member's signature over a packet; verified when it is new. */
  async attestation(entry: BookEntry, attester: string, signature: DiscoverySignature): Promise<SignatureVerdict> {
    let slot = this.#find(entry, attester, signature);
    if (slot === undefined) {
      const others = entry.attestations.filter((other) => other.attester === attester);
      if (others.length >= MAX_SIGNATURES_PER_ATTESTER) return TOO_MANY_SIGNATURES;
      slot = this.#attestation(entry, entry.packet, attester, signature, true);
    }
    this.#queue.hurry(slot);
    return slot.verdict ?? verdictOf(slot);
  }

  /** Whether a record was looked at. */
  knows(record: ListedRecord): boolean {
    return this.#records.has(record);
  }

  /** A record entered the list: verifies what is new in it. */
  enter(record: ListedRecord): BookEntry {
    return this.#judgedRecord(record).entry;
  }

  /**
   * Remembers a signature that this node just made. Only the first one of each certificate is verified, to learn its
   * dates.
   */
  async rememberOwn(entry: BookEntry, signature: DiscoverySignature): Promise<SignatureVerdict> {
    const { self } = this.#context;
    const own = this.#ownPeriod;
    if (own !== undefined && sameBytes(own.certificate, signature.certificate)) {
      const { verdict } = own;
      if (this.#find(entry, self, signature) === undefined) {
        entry.attestations.push({ ...newSlot(this.#prunings), attester: self, signature, verdict });
      }
      return verdict;
    }
    const verdict = await this.attestation(entry, self, signature);
    if (verdict.ok && verdict.identity === self) this.#ownPeriod = { certificate: signature.certificate, verdict };
    return verdict;
  }

  /** What is known, or will be, of a signature over a packet; undefined for one that never came. */
  slotOf(entry: BookEntry, attester: string, signature: DiscoverySignature): Judged<SignatureVerdict> | undefined {
    return this.#find(entry, attester, signature);
  }

  /** A member's signature over a packet, if one was verified. */
  verifiedSignature(entry: BookEntry, attester: string): DiscoverySignature | undefined {
    return entry.attestations.find((slot) => slot.attester === attester && isVerified(slot))?.signature;
  }

  /** What is known of a member's word for a packet. */
  attestationOf(entry: BookEntry, attester: string): 'verified' | 'underWay' | 'missing' {
    let isUnderWay = false;
    for (const slot of entry.attestations) {
      if (slot.attester !== attester) continue;
      if (slot.verdict?.ok === true) return 'verified';
      isUnderWay ||= slot.verdict === undefined;
    }
    return isUnderWay ? 'underWay' : 'missing';
  }

  /**
   * Judges every record of a view at one moment. Waits for verdicts that are still out. O(n), but little for each record
   * that was judged before.
   *
   * @param creation Unix seconds
   */
  async judge(view: ListedView, creation: number): Promise<JudgedEntry[]> {
    const { entries, open } = await inSlices(this.#context, this.#heldJudgements(view, creation));
    const again = await this.#askAgain(open, creation);
    const committee = this.#context.committees.at(creation);
    await inSlices(this.#context, this.#judgeOpen(entries, open, { creation, committee, again }));
    return entries;
  }

  /** The same from the verdicts that are there: a record whose verdicts are out, or that lacks some, counts for less. */
  async judgeWhatIsKnown(view: ListedView, creation: number): Promise<JudgedEntry[]> {
    const { entries, open } = await inSlices(this.#context, this.#heldJudgements(view, creation));
    const unknown = new Map<object, FailedVerdict>();
    for (const { judged } of open) {
      for (const slot of [judged.entry, ...judged.attestations]) {
        if (slot.verdict !== undefined && depends(slot.verdict, creation)) unknown.set(slot, NOT_KNOWN);
      }
    }
    const committee = this.#context.committees.at(creation);
    await inSlices(this.#context, this.#judgeOpen(entries, open, { creation, committee, again: unknown }));
    return entries;
  }

  *#heldJudgements(view: ListedView, creation: number): Steps<{ entries: JudgedEntry[]; open: OpenRecord[] }> {
    const { recordsPerSlice } = this.#context.config;
    const entries: JudgedEntry[] = [];
    const open: OpenRecord[] = [];
    const committee = this.#context.committees.at(creation);
    let cost = 0;
    for (const record of view.entries()) {
      cost += this.#records.has(record) ? 1 : NEW_RECORD_COST;
      const judged = this.#judgedRecord(record);
      const { lasting } = judged;
      if (lasting?.committee === committee && holdsAt(lasting, creation)) entries.push(lasting.entry);
      else open.push({ record, judged, at: entries.push(UNJUDGED) - 1 });
      if (cost < recordsPerSlice) continue;
      cost = 0;
      yield;
    }
    return { entries, open };
  }

  *#judgeOpen(entries: JudgedEntry[], open: readonly OpenRecord[], judging: Judging): Steps<void> {
    const { recordsPerSlice } = this.#context.config;
    let since = 0;
    for (const { record, judged, at } of open) {
      entries[at] = this.#judgeRecord(record, judged, judging);
      if (++since % recordsPerSlice === 0) yield;
    }
  }

  /**
   * What a record is worth, by the verdicts that are there.
   *
   * - `good`: nothing speaks against it, perhaps because a verdict is still out, or it was not looked at yet;
   * - `forged`: its packet is not what the list takes it for, now or ever;
   * - `partly`: the packet is good, but an attestation is not by whom it names. It keeps the real one out.
   */
  worthOf(record: ListedRecord): 'good' | 'forged' | 'partly' {
    const judged = this.#records.get(record);
    if (judged === undefined || judged.isGood) return 'good';
    const { verdict } = judged.entry;
    if (verdict === undefined) return 'good';
    if (!verdict.ok) return verdict.timeDependent === true ? 'good' : 'forged';
    if (!this.#fits(record, judged, verdict)) return 'forged';
    return judged.attestations.some(isForged) ? 'partly' : 'good';
  }

  /** Whether an attestation that a record carries is known not to be by whom it names. */
  isForgedAttestation(record: ListedRecord, attester: string): boolean {
    const slot = this.#judgedRecord(record).attestations.find((judged) => judged.attester === attester);
    return slot !== undefined && isForged(slot);
  }

  /** Forgets packets that neither the view nor `isNeeded` knows any more, nor anybody came with meanwhile. O(n). */
  prune(view: ListedView, isNeeded: (entry: BookEntry) => boolean): Promise<void> {
    return inSlices(this.#context, this.#pruneSteps(view, isNeeded));
  }

  *#pruneSteps(view: ListedView, isNeeded: (entry: BookEntry) => boolean): Steps<void> {
    const { recordsPerSlice } = this.#context.config;
    const present = ++this.#prunings;
    let looked = 0;
    for (const record of view.entries()) {
      const judged = this.#records.get(record);
      if (++looked % recordsPerSlice === 0) yield;
      if (judged === undefined) continue;
      judged.entry.liveIn = present;
      for (const slot of judged.attestations) slot.liveIn = present;
    }
    const isDead = (slot: JudgedAttestation): boolean => slot.liveIn < present && slot.verdict?.ok === false;
    for (const entry of this.#entries.values()) {
      if (++looked % recordsPerSlice === 0) yield;
      if (entry.verdict === undefined) continue;
      if (entry.liveIn < present && !isNeeded(entry)) this.#entries.delete(entry.key);
      else if (entry.attestations.some(isDead)) {
        entry.attestations = entry.attestations.filter((slot) => !isDead(slot));
      }
    }
  }

  async #askAgain(open: readonly OpenRecord[], creation: number): Promise<Again> {
    const again = new Map<object, PacketVerdict | SignatureVerdict>();
    const asked: Promise<void>[] = [];
    const ask = <Verdict extends PacketVerdict | SignatureVerdict>(
      slot: Judged<Verdict>,
      verdict: Verdict,
      verify: () => Promise<Verdict>,
    ): void => {
      if (!depends(verdict, creation) || again.has(slot)) return;
      again.set(slot, verdict);
      const settle = (fresh: Verdict | FailedVerdict): void => {
        again.set(slot, fresh);
        // Time goes forward: a verdict whose period is over is of no more use.
        if (verdict.ok && creation > verdict.notAfter && fresh.ok) slot.verdict = fresh;
      };
      asked.push(this.#queue.ask(verify).then(settle));
    };
    const pace = new Pace(this.#context);
    for (const { judged } of open) {
      const { entry } = judged;
      const verdict = entry.verdict ?? (await verdictOf(entry));
      ask(entry, verdict, () => this.#verifyPacket(entry.packet, creation));
      for (const slot of judged.attestations) {
        const word = slot.verdict ?? (await verdictOf(slot));
        ask(slot, word, () => this.#verifySignature(entry, slot.signature, creation));
      }
      if (pace.isDue()) await pace.pause();
    }
    await Promise.all(asked);
    return again;
  }

  #judgeRecord(record: ListedRecord, judged: JudgedRecord, { creation, committee, again }: Judging): JudgedEntry {
    const { entry, attestations, expirations } = judged;
    const verdict = (again.get(entry) ?? entry.verdict) as PacketVerdict | undefined;
    const authentic = verdict?.ok === true && this.#fits(record, judged, verdict) ? verdict : undefined;
    let countable = 0;
    let isGood = authentic !== undefined;
    for (let i = 0; i < attestations.length; i++) {
      const slot = attestations[i]!;
      const word = (again.get(slot) ?? slot.verdict) as SignatureVerdict | undefined;
      const isTrue = word?.ok === true && word.identity === slot.attester;
      isGood &&= isTrue;
      const isOurs = isTrue && committee.members.has(slot.attester);
      if (isOurs && expirations[i]! > creation) countable++;
    }
    judged.isGood = isGood;
    const { identity, expiration } = record;
    const judgement = { identity, expiration, itemBytes: authentic?.itemBytes, attestations: countable };
    judged.lasting = lastingOf(judged, creation, committee, judgement);
    return judgement;
  }

  /** The list's claims about a packet must be what the packet says, and the packet must keep the rules. */
  #fits(record: ListedRecord, judged: JudgedRecord, verified: VerifiedPacket): boolean {
    if (judged.checked === verified) return judged.fits;
    const { item } = verified;
    judged.checked = verified;
    judged.fits =
      item.identity === record.identity &&
      Number(item.expiration) === record.expiration &&
      itemFault(verified, judged.entry.packetBytes, this.#context.config) === undefined;
    return judged.fits;
  }

  #judgedRecord(record: ListedRecord): JudgedRecord {
    const held = this.#records.get(record);
    if (held !== undefined) return held;
    const { packet } = record;
    const entry = this.#entryOf(record, packet, false);
    entry.source = record;
    const attestations: JudgedAttestation[] = [];
    const expirations: number[] = [];
    const { known } = this.#context.committees;
    for (const { attester, signature, expiration } of record.attestations) {
      if (!known.has(attester) || attestations.some((slot) => slot.attester === attester)) continue;
      const slot = this.#attestation(entry, packet, attester, signature, false);
      slot.signature = signature;
      slot.liveIn = this.#prunings;
      attestations.push(slot);
      expirations.push(expiration);
    }
    const judged: JudgedRecord = {
      entry,
      attestations,
      expirations,
      checked: undefined,
      fits: false,
      isGood: false,
      lasting: undefined,
    };
    this.#records.set(record, judged);
    return judged;
  }

  #entryOf(source: PacketSource, packet: Uint8Array, isUrgent: boolean): BookEntry {
    const { ports, time } = this.#context;
    const key = keyOf(ports.sha256(packet));
    const held = this.#entries.get(key);
    if (held !== undefined) {
      held.liveIn = this.#prunings;
      return held;
    }
    const seenAt = time.elapsed();
    const entry = new BookEntry(key, source, packet.length, seenAt, this.#prunings);
    this.#entries.set(key, entry);
    const atSeconds = Math.floor(time.wallNow());
    entry.verdict = validAt(ports.verifier.recallPacket?.(packet), atSeconds);
    if (entry.verdict === undefined) this.#queue.judge(entry, isUrgent, () => this.#verifyPacket(packet, atSeconds));
    return entry;
  }

  #attestation(
    entry: BookEntry,
    packet: Uint8Array,
    attester: string,
    signature: DiscoverySignature,
    isUrgent: boolean,
  ): JudgedAttestation {
    const held = this.#find(entry, attester, signature);
    if (held !== undefined) return held;
    const atSeconds = Math.floor(this.#context.time.wallNow());
    const slot: JudgedAttestation = { ...newSlot<SignatureVerdict>(this.#prunings), attester, signature };
    entry.attestations.push(slot);
    slot.verdict = validAt(this.#context.ports.verifier.recallSignature?.(signature, packet), atSeconds);
    if (slot.verdict === undefined)
      this.#queue.judge(slot, isUrgent, () => this.#verifySignature(entry, signature, atSeconds));
    return slot;
  }

  #find(entry: BookEntry, attester: string, signature: DiscoverySignature): JudgedAttestation | undefined {
    return entry.attestations.find(
      (slot) =>
        slot.attester === attester &&
        sameBytes(slot.signature.signature, signature.signature) &&
        sameBytes(slot.signature.certificate, signature.certificate),
    );
  }

  #verifyPacket(packet: Uint8Array, atSeconds: number): Promise<PacketVerdict> {
    return this.#context.ports.verifier.verifyPacket(packet, atSeconds);
  }

  #verifySignature(entry: BookEntry, signature: DiscoverySignature, atSeconds: number): Promise<SignatureVerdict> {
    return this.#context.ports.verifier.verifySignature(signature, entry.packet, atSeconds);
  }
}

function newSlot<Verdict>(liveIn: number): Judged<Verdict> & { liveIn: number } {
  return { verdict: undefined, job: undefined, waiting: undefined, liveIn };
}

/** What is remembered of an earlier time, if it holds at this one as well. */
function validAt<Verdict extends VerdictPeriod>(remembered: Verdict | undefined, at: number): Verdict | undefined {
  return remembered !== undefined && remembered.notBefore <= at && at <= remembered.notAfter ? remembered : undefined;
}

/** The bytes of a digest as a text. */
function keyOf(digest: Uint8Array): string {
  return String.fromCharCode(...digest);
}

function isVerified({ verdict, attester }: JudgedAttestation): boolean {
  return verdict?.ok === true && verdict.identity === attester;
}

function isForged({ verdict, attester }: JudgedAttestation): boolean {
  if (verdict === undefined) return false;
  return verdict.ok ? verdict.identity !== attester : verdict.timeDependent !== true;
}

/** What looking at a record for the first time costs, in records that were looked at before. */
const NEW_RECORD_COST = 16;

const UNJUDGED: JudgedEntry = { identity: '', expiration: 0, itemBytes: undefined, attestations: 0 };

function holdsAt({ from, notAfter, before }: LastingJudgement, creation: number): boolean {
  return from <= creation && creation <= notAfter && creation < before;
}

/** How long a judgement stays the same; undefined when a verdict is out, or another time could give another one. */
function lastingOf(
  judged: JudgedRecord,
  creation: number,
  committee: Committee,
  entry: JudgedEntry,
): LastingJudgement | undefined {
  let from = -Infinity;
  let notAfter = Infinity;
  let before = Infinity;
  for (const { verdict } of [judged.entry, ...judged.attestations]) {
    if (verdict === undefined || depends(verdict, creation)) return undefined;
    if (!verdict.ok) continue;
    from = Math.max(from, verdict.notBefore);
    notAfter = Math.min(notAfter, verdict.notAfter);
  }
  for (const expiration of judged.expirations) {
    if (expiration > creation) before = Math.min(before, expiration);
    else from = Math.max(from, expiration);
  }
  return { committee, from, notAfter, before, entry };
}

const NOT_KNOWN: FailedVerdict = { ok: false, code: 'notKnown', timeDependent: true };

const TOO_MANY_SIGNATURES: FailedVerdict = { ok: false, code: 'tooManySignatures' };

/** Whether another time could give another verdict than the one that is held. */
function depends(verdict: PacketVerdict | SignatureVerdict, creation: number): boolean {
  if (!verdict.ok) return verdict.timeDependent === true;
  return creation < verdict.notBefore || creation > verdict.notAfter;
}
