import type { DiscoverySignature } from '@discovery-raft/protocol';
import { itemFault } from '../policy/item-rules.js';
import type { JudgedEntry } from '../policy/judgement.js';
import { sameBytes } from '../policy/listing.js';
import type {
  FailedVerdict,
  ListedRecord,
  ListedView,
  PacketVerdict,
  SignatureVerdict,
  VerifiedPacket,
} from '../ports.js';
import type { Context } from './context.js';
import { describeFailure } from './context.js';
import { Lane } from './lane.js';

/** A verdict, or the promise of one. `judge` asks again for another time. */
interface Judged<Verdict> {
  /** Undefined while it is out. */
  verdict: Verdict | undefined;
  readonly settled: Promise<Verdict>;
  readonly judge: (atSeconds: number) => Promise<Verdict>;
}

interface JudgedAttestation extends Judged<SignatureVerdict> {
  readonly attester: string;
  readonly signature: DiscoverySignature;
}

/** What is known of one packet, in whichever records it stands. */
export interface BookEntry extends Judged<PacketVerdict> {
  /** SHA-256 of the packet, as a string of 32 code units. */
  readonly key: string;
  readonly packet: Uint8Array;
  /** Unix seconds at which this node first saw the packet. */
  readonly seenAt: number;
  attestations: JudgedAttestation[];
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
}

/** Verdicts for another time than the one at which they were first given. */
type Again = ReadonlyMap<Judged<PacketVerdict> | Judged<SignatureVerdict>, PacketVerdict | SignatureVerdict>;

/** Signatures of one attester over one packet that messages may bring; those in the list are always judged. */
const MAX_SIGNATURES_PER_ATTESTER = 4;

/**
 * The verdicts on everything in the list: each packet and each attestation is verified once, when it first shows up, in
 * whatever record or message that is. A verdict holds for a period; only a verdict that another time could change is
 * asked for again when a list is judged.
 */
export class RecordBook {
  readonly #context: Context;
  readonly #lane: Lane;
  readonly #entries = new Map<string, BookEntry>();
  readonly #records = new WeakMap<ListedRecord, JudgedRecord>();
  /** Validity period of this node's own certificates, by their bytes: its own signatures are not verified each time. */
  #ownPeriod: { certificate: Uint8Array; notBefore: number; notAfter: number } | undefined;

  constructor(context: Context) {
    this.#context = context;
    this.#lane = new Lane(context.config.maxConcurrentVerifications);
  }

  /** Verifications under way or waiting. */
  get pending(): number {
    return this.#lane.size;
  }

  /** Packets that are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** The entry of a packet; its verification begins when the packet is new. */
  packet(packet: Uint8Array): BookEntry {
    const key = String.fromCharCode(...this.#context.ports.sha256(packet));
    const held = this.#entries.get(key);
    if (held !== undefined) return held;
    const judge = (atSeconds: number): Promise<PacketVerdict> =>
      this.#lane.run(() => guarded(() => this.#context.ports.verifier.verifyPacket(packet, atSeconds)));
    const seenAt = this.#context.ports.clock.now();
    const settled = judge(Math.floor(seenAt));
    const entry: BookEntry = { key, packet, seenAt, attestations: [], verdict: undefined, settled, judge };
    this.#entries.set(key, entry);
    return keepVerdict(entry);
  }

  /** Forgets a packet that was refused; it is verified again should it come again. */
  forget(entry: BookEntry): void {
    this.#entries.delete(entry.key);
  }

  /** The verdict on a member's signature over a packet; verified when it is new. */
  async attestation(entry: BookEntry, attester: string, signature: DiscoverySignature): Promise<SignatureVerdict> {
    if (this.#find(entry, attester, signature) === undefined) {
      const others = entry.attestations.filter((slot) => slot.attester === attester);
      if (others.length >= MAX_SIGNATURES_PER_ATTESTER) return TOO_MANY_SIGNATURES;
    }
    const slot = this.#attestation(entry, attester, signature);
    return slot.verdict ?? slot.settled;
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
    const period = this.#ownPeriod;
    if (period !== undefined && sameBytes(period.certificate, signature.certificate)) {
      const verdict: SignatureVerdict = { ok: true, identity: self, ...period };
      if (this.#find(entry, self, signature) === undefined) {
        const judge = this.#judgeOf(entry, signature);
        entry.attestations.push({ attester: self, signature, verdict, settled: Promise.resolve(verdict), judge });
      }
      return verdict;
    }
    const verdict = await this.attestation(entry, self, signature);
    if (verdict.ok && verdict.identity === self) {
      const { notBefore, notAfter } = verdict;
      this.#ownPeriod = { certificate: signature.certificate, notBefore, notAfter };
    }
    return verdict;
  }

  /** Whether a member's verified signature over this packet is known, or is being verified. */
  hasAttestation(entry: BookEntry, attester: string): boolean {
    return entry.attestations.some((slot) => slot.attester === attester && slot.verdict?.ok !== false);
  }

  /**
   * Judges every record of a view at one moment. Waits for verdicts that are still out.
   *
   * @param creation Unix seconds
   */
  async judge(view: ListedView, creation: number): Promise<JudgedEntry[]> {
    const records: { record: ListedRecord; judged: JudgedRecord }[] = [];
    for (const record of view.entries()) records.push({ record, judged: this.#judgedRecord(record) });
    const again = await this.#askAgain(records, creation);
    return records.map(({ record, judged }) => this.#judgeRecord(record, judged, creation, again));
  }

  /** Forgets packets that neither the view nor `isNeeded` knows any more. O(n). */
  prune(view: ListedView, isNeeded: (entry: BookEntry) => boolean): void {
    const live = new Set<object>();
    for (const record of view.entries()) {
      const judged = this.#judgedRecord(record);
      live.add(judged.entry);
      for (const slot of judged.attestations) live.add(slot);
    }
    for (const entry of this.#entries.values()) {
      if (entry.verdict === undefined) continue;
      if (!live.has(entry) && !isNeeded(entry)) this.#entries.delete(entry.key);
      else entry.attestations = entry.attestations.filter((slot) => live.has(slot) || slot.verdict?.ok !== false);
    }
  }

  async #askAgain(records: readonly { judged: JudgedRecord }[], creation: number): Promise<Again> {
    const again = new Map<Judged<PacketVerdict> | Judged<SignatureVerdict>, PacketVerdict | SignatureVerdict>();
    const asked: Promise<void>[] = [];
    const ask = <Verdict extends PacketVerdict | SignatureVerdict>(slot: Judged<Verdict>, verdict: Verdict): void => {
      if (!depends(verdict, creation) || again.has(slot as Judged<PacketVerdict>)) return;
      again.set(slot as Judged<PacketVerdict>, verdict);
      asked.push(slot.judge(creation).then((fresh) => void again.set(slot as Judged<PacketVerdict>, fresh)));
    };
    for (const { judged } of records) {
      ask(judged.entry, judged.entry.verdict ?? (await judged.entry.settled));
      for (const slot of judged.attestations) ask(slot, slot.verdict ?? (await slot.settled));
    }
    await Promise.all(asked);
    return again;
  }

  #judgeRecord(record: ListedRecord, judged: JudgedRecord, creation: number, again: Again): JudgedEntry {
    const { entry, attestations, expirations } = judged;
    const verdict = (again.get(entry) ?? entry.verdict) as PacketVerdict | undefined;
    const authentic = verdict?.ok === true && this.#fits(record, judged, verdict) ? verdict : undefined;
    let countable = 0;
    for (let i = 0; i < attestations.length; i++) {
      const slot = attestations[i]!;
      const word = (again.get(slot) ?? slot.verdict) as SignatureVerdict | undefined;
      if (word?.ok === true && word.identity === slot.attester && expirations[i]! > creation) countable++;
    }
    const { identity, expiration } = record;
    return { identity, expiration, itemBytes: authentic?.itemBytes, attestations: countable };
  }

  /** The list's claims about a packet must be what the packet says, and the packet must keep the rules. */
  #fits(record: ListedRecord, judged: JudgedRecord, verified: VerifiedPacket): boolean {
    if (judged.checked === verified) return judged.fits;
    const { item } = verified;
    judged.checked = verified;
    judged.fits =
      item.identity === record.identity &&
      Number(item.expiration) === record.expiration &&
      itemFault(verified, record.packet.length, this.#context.config) === undefined;
    return judged.fits;
  }

  #judgedRecord(record: ListedRecord): JudgedRecord {
    const held = this.#records.get(record);
    if (held !== undefined) return held;
    const entry = this.packet(record.packet);
    const attestations: JudgedAttestation[] = [];
    const expirations: number[] = [];
    const attesters = new Set<string>();
    for (const { attester, signature, expiration } of record.attestations) {
      if (!this.#context.members.has(attester) || attesters.has(attester)) continue;
      attesters.add(attester);
      attestations.push(this.#attestation(entry, attester, signature));
      expirations.push(expiration);
    }
    const judged: JudgedRecord = { entry, attestations, expirations, checked: undefined, fits: false };
    this.#records.set(record, judged);
    return judged;
  }

  #attestation(entry: BookEntry, attester: string, signature: DiscoverySignature): JudgedAttestation {
    const held = this.#find(entry, attester, signature);
    if (held !== undefined) return held;
    const judge = this.#judgeOf(entry, signature);
    const settled = judge(Math.floor(this.#context.ports.clock.now()));
    const slot: JudgedAttestation = { attester, signature, verdict: undefined, settled, judge };
    entry.attestations.push(slot);
    return keepVerdict(slot);
  }

  #find(entry: BookEntry, attester: string, signature: DiscoverySignature): JudgedAttestation | undefined {
    return entry.attestations.find(
      (slot) =>
        slot.attester === attester &&
        sameBytes(slot.signature.signature, signature.signature) &&
        sameBytes(slot.signature.certificate, signature.certificate),
    );
  }

  #judgeOf(entry: BookEntry, signature: DiscoverySignature): (atSeconds: number) => Promise<SignatureVerdict> {
    const { verifier } = this.#context.ports;
    return (atSeconds) =>
      this.#lane.run(() => guarded(() => verifier.verifySignature(signature, entry.packet, atSeconds)));
  }
}

/** Writes a verdict down as soon as it is there. */
function keepVerdict<Verdict, Slot extends Judged<Verdict>>(slot: Slot): Slot {
  void slot.settled.then((verdict) => {
    slot.verdict = verdict;
  });
  return slot;
}

const TOO_MANY_SIGNATURES: FailedVerdict = { ok: false, code: 'tooManySignatures' };

/** Whether another time could give another verdict than the one that is held. */
function depends(verdict: PacketVerdict | SignatureVerdict, creation: number): boolean {
  if (!verdict.ok) return verdict.timeDependent === true;
  return creation < verdict.notBefore || creation > verdict.notAfter;
}

/** A verifier that throws, against its contract, refuses; it is asked again the next time. */
async function guarded<Verdict>(verify: () => Promise<Verdict>): Promise<Verdict | FailedVerdict> {
  try {
    return await verify();
  } catch (error) {
    return { ok: false, code: 'verifierFailed', detail: describeFailure(error), timeDependent: true };
  }
}
