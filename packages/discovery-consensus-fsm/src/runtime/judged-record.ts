import { MAX_MEMBERS } from '../config.js';
import type { Committee } from '../policy/committee.js';
import type { JudgedEntry } from '../policy/judgement.js';
import type { ListedRecord, PacketVerdict, SignatureVerdict } from '../ports.js';
import type { BookEntry, JudgedAttestation } from './book-entry.js';
import type { KnownPacket } from './known-packet.js';
import { NotJudged } from './verification-queue.js';

/** Verdicts for another time than the one at which they were first given, by the slot that holds those. */
export type Again = ReadonlyMap<object, PacketVerdict | SignatureVerdict>;

/** For what records are judged. */
export interface Judging {
  /** Unix seconds. */
  readonly creation: number;
  readonly committee: Committee;
  readonly again: Again;
}

/** The time in which a judgement stays what it is: whole Unix seconds, both ends included. */
export interface Period {
  readonly from: number;
  readonly until: number;
}

/**
 * What a record is worth.
 *
 * - `good`: nothing speaks against it, perhaps because a verdict is still out;
 * - `forged`: its packet is not what the list takes it for, now or ever;
 * - `partly`: the packet is good, but an attestation is not by whom it names, which keeps the real one out; or there are so
 *   many of strangers that those of members may find no room;
 * - `doubtful`: something in it was refused for the time at which it came, which says nothing of its signatures.
 */
export type Worth = 'good' | 'forged' | 'partly' | 'doubtful';

/** Attestations of strangers that a record may carry: as many as a change of all members leaves behind. */
const MAX_STRANGERS = MAX_MEMBERS;
/** Longest lifetimes from now on in which a packet has to expire: one, and as much for clocks that are wrong. */
const LIFETIMES_AHEAD = 2;

/** What a record is found to be, for one committee. Immutable. */
export class Judgement implements JudgedEntry {
  readonly identity: string;
  readonly expiration: number;
  readonly attestations: number;
  readonly itemLength: number | undefined;
  readonly #known: KnownPacket | undefined;

  constructor({ identity, expiration }: ListedRecord, known: KnownPacket | undefined, attestations: number) {
    this.identity = identity;
    this.expiration = expiration;
    this.attestations = attestations;
    this.itemLength = known?.itemLength;
    this.#known = known;
  }

  get itemBytes(): Uint8Array | undefined {
    return this.#known?.itemBytes;
  }
}

/** A record of the list, with what is known of its packet and its attestations. */
export class JudgedRecord {
  readonly entry: BookEntry;
  /** Attestations of members; each attester once, as the list keeps them. */
  readonly slots: readonly JudgedAttestation[];
  /** The packet and every attestation were found to be by whom they name: they stay so. */
  isGood = false;
  /** The members of whom each was found to have attested it: it stays so. */
  completeFor: ReadonlySet<string> | undefined = undefined;
  /** The last table has it, so that the next one tells when it has left. */
  isInTable = false;
  /** Unix seconds until which the attestation with the same place holds; undefined when all hold as long as the record. */
  readonly #expirations: readonly number[] | undefined;
  /** The verdict that was held against the list's claims last, and what came of it. */
  #checked: KnownPacket | undefined = undefined;
  #fits = false;

  constructor(
    { expiration }: ListedRecord,
    entry: BookEntry,
    slots: readonly JudgedAttestation[],
    expirations: readonly number[],
  ) {
    this.entry = entry;
    // Mostly the record has what was ever seen of the packet.
    this.slots = isSame(slots, entry.attestations) ? entry.attestations : slots;
    this.#expirations = expirations.every((each) => each === expiration) ? undefined : expirations;
  }

  /** What the record is worth by the verdicts that are there, and by others for this time. */
  judge(record: ListedRecord, { creation, committee, again }: Judging): Judgement {
    const { entry, slots } = this;
    const verdict = (again.get(entry) as BookEntry['verdict']) ?? entry.verdict;
    const authentic = verdict?.ok === true && this.fits(record, verdict) ? verdict : undefined;
    let countable = 0;
    let isGood = authentic !== undefined;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      const word = (again.get(slot) ?? slot.verdict) as SignatureVerdict | undefined;
      const isTrue = word?.ok === true && word.identity === slot.attester;
      isGood &&= isTrue;
      const isOurs = isTrue && committee.members.has(slot.attester);
      if (isOurs && this.#holdsUntil(record, i) > creation) countable++;
    }
    this.isGood = isGood;
    return new Judgement(record, authentic, countable);
  }

  /** The list's claims about a packet must be what the packet says, and the packet must keep the rules. */
  fits({ identity, expiration }: ListedRecord, known: KnownPacket): boolean {
    if (this.#checked === known) return this.#fits;
    this.#checked = known;
    this.#fits = known.isOf(identity, expiration) && known.keepsRules;
    return this.#fits;
  }

  #holdsUntil({ expiration }: ListedRecord, at: number): number {
    return this.#expirations === undefined ? expiration : this.#expirations[at]!;
  }

  /**
   * By the verdicts that are there. It takes the time into account that no honest node lets a packet live.
   *
   * @param now Unix seconds
   * @param maxLifetimeSeconds of a packet, when it is published
   */
  worth(record: ListedRecord, now: number, maxLifetimeSeconds: number): Worth {
    if (record.expiration > now + LIFETIMES_AHEAD * maxLifetimeSeconds) return 'forged';
    const isCrowded = record.attesters.length - this.slots.length > MAX_STRANGERS;
    if (this.isGood && !isCrowded) return 'good';
    const { verdict } = this.entry;
    if (verdict === undefined || verdict instanceof NotJudged) return 'good';
    if (!verdict.ok) return isDoubtful(verdict) ? 'doubtful' : 'forged';
    if (!this.fits(record, verdict)) return 'forged';
    const isOpen = (slot: JudgedAttestation, at: number): boolean =>
      isDoubtful(slot.verdict) && this.#holdsUntil(record, at) > now;
    if (this.slots.some(isOpen)) return 'doubtful';
    return isCrowded || this.slots.some(({ isForged }) => isForged) ? 'partly' : 'good';
  }

  /** Whether the list says of an attestation that it ends at another time than the record. */
  get hasOwnTimes(): boolean {
    return this.#expirations !== undefined;
  }

  /** Whose attestation ends by then by what the list says, although the record does not, and when. Unix seconds. */
  *endedBy({ expiration }: ListedRecord, unixSeconds: number): Generator<readonly [attester: string, until: number]> {
    const expirations = this.#expirations ?? [];
    for (const [at, until] of expirations.entries()) {
      if (until <= unixSeconds && until < expiration) yield [this.slots[at]!.attester, until];
    }
  }

  /** How long a judgement at `creation` stays the same; undefined when a verdict is out, or another time could give another. */
  periodOf(record: ListedRecord, creation: number): Period | undefined {
    const { entry, slots } = this;
    let from = 0;
    let until = Infinity;
    const narrow = (verdict: PacketVerdict | SignatureVerdict | undefined): boolean => {
      if (verdict === undefined || depends(verdict, creation)) return false;
      if (!verdict.ok) return true;
      from = Math.max(from, Math.ceil(verdict.notBefore));
      until = Math.min(until, Math.floor(verdict.notAfter));
      return true;
    };
    if (!narrow(entry.verdict) || !slots.every(({ verdict }) => narrow(verdict))) return undefined;
    for (let i = 0; i < slots.length; i++) {
      const expiration = this.#holdsUntil(record, i);
      if (expiration > creation) until = Math.min(until, Math.ceil(expiration) - 1);
      else from = Math.max(from, Math.ceil(expiration));
    }
    return { from, until };
  }
}

/** Whether a verdict is a refusal for the time that it was asked for. */
export function isDoubtful(verdict: PacketVerdict | SignatureVerdict | undefined): boolean {
  return verdict?.ok === false && verdict.timeDependent === true && !(verdict instanceof NotJudged);
}

/** Whether another time could give another verdict than the one that is held. */
export function depends(verdict: PacketVerdict | SignatureVerdict, creation: number): boolean {
  if (!verdict.ok) return verdict.timeDependent === true;
  return creation < verdict.notBefore || creation > verdict.notAfter;
}

function isSame<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}
