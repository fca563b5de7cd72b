import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { Steps } from '@discovery-raft/psp-envelope';
import { heldUntil } from '../policy/verdict-period.js';
import { listedWord } from '../policy/listed-word.js';
import type { ListedItem } from '../policy/listing.js';
import { sameBytes } from '../policy/bytes.js';
import type { ListedRecord } from '../ports.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm } from './context.js';
import type { ForwardQueue } from './forward-queue.js';
import type { BookEntry } from './book-entry.js';
import type { RecordBook } from './record-book.js';
import { OwnRegistry, type OwnEntry, type OwnShare, type ShareQuestion } from './own-registry.js';
import { Pace } from './slices.js';
import { whenJudged } from './verification-queue.js';

/** A packet that has passed all checks, and what is known of it. */
export interface AcceptedPacket {
  readonly identity: string;
  readonly entry: BookEntry;
  readonly packet: Uint8Array;
  /** Unix seconds. */
  readonly expiration: number;
}

/** Pause between two looks for what has expired. */
const SWEEP_SECONDS = 30;

/**
 * What this node attested: the newest packet of each identity. It answers for it towards the list, where it has to be, and
 * towards a leader's listing, which has to hold a share of it.
 */
export class OwnEntries {
  readonly #context: Context;
  readonly #book: RecordBook;
  readonly #queue: ForwardQueue;
  readonly #own = new OwnRegistry();
  /** Signatures that are being made; each may need a place in the queue. */
  #signing = 0;
  #nextSweepAt = -Infinity;
  #requeueing: Promise<void> | undefined;
  #requeueAgain = false;

  constructor(context: Context, book: RecordBook, queue: ForwardQueue) {
    this.#context = context;
    this.#book = book;
    this.#queue = queue;
  }

  get(identity: string): OwnEntry | undefined {
    return this.#own.get(identity);
  }

  /** What is lacking to attest a packet of this size, beside the one that its identity has here. */
  lackFor(packetBytes: number, held: OwnEntry | undefined): 'forwards' | 'items' | undefined {
    if (!this.#queue.hasRoom(packetBytes, this.#signing)) return 'forwards';
    return held === undefined && this.#own.size >= this.#context.config.maxItems ? 'items' : undefined;
  }

  /** Signs an authentic packet, which takes the place of the one that is held, and queues it. See {@link whenSigned}. */
  attest({ identity, entry, packet, expiration }: AcceptedPacket): OwnEntry {
    const own = newOwnEntry(identity, entry, expiration, this.#context.time.elapsed());
    this.#own.set(own);
    this.#signing++;
    const failed = (error: unknown): void => this.#notSigned(own, error);
    // No chain of promises, of which each publish would have all.
    this.#sign(
      packet,
      (signature) => {
        try {
          const isLearning = this.#book.rememberOwn(entry, signature);
          if (isLearning === undefined) this.#signed(own, packet, signature);
          else isLearning.then(() => this.#signed(own, packet, signature)).catch(failed);
        } catch (error) {
          failed(error);
        }
      },
      failed,
    );
    return own;
  }

  /**
   * Attests a packet again that this node has attested, when its attestation ends before the packet does and there is another
   * certificate by now.
   */
  renew(own: OwnEntry, packet: Uint8Array): void {
    const { identity, entry, expiration, signature: old } = own;
    if (old === undefined || !this.#queue.hasRoom(packet.length, this.#signing)) return;
    const word = entry.find(this.#context.self, old)?.verdict;
    if (word?.ok !== true || heldUntil(expiration, word) >= expiration) return;
    const failed = (error: unknown): void => raiseAlarm(this.#context, 'signerFailed', describeFailure(error));
    const take = (signature: DiscoverySignature): void => {
      if (this.#own.get(identity) !== own) return;
      own.signature = signature;
      this.#queue.add({ identity, expiration, packet, entry, signature });
    };
    this.#sign(
      packet,
      (signature) => {
        if (sameBytes(signature.certificate, old.certificate)) return;
        Promise.resolve(this.#book.rememberOwn(entry, signature)).then(() => take(signature), failed);
      },
      failed,
    );
  }

  #sign(packet: Uint8Array, tell: (signature: DiscoverySignature) => void, failed: (error: unknown) => void): void {
    const { signer } = this.#context.ports;
    try {
      if (signer.signThen === undefined) signer.sign(packet).then(tell, failed);
      else signer.signThen(packet, tell, failed);
    } catch (error) {
      failed(error);
    }
  }

  #signed(own: OwnEntry, packet: Uint8Array, signature: DiscoverySignature): void {
    const { identity, expiration } = own;
    own.signature = signature;
    // A newer packet may have come in while this one was being signed.
    if (this.#own.get(identity) === own) this.#queue.add({ identity, expiration, packet, entry: own.entry, signature });
    this.#settle(own, signature);
  }

  #notSigned(own: OwnEntry, error: unknown): void {
    if (this.#own.get(own.identity) === own) this.#own.delete(own.identity);
    raiseAlarm(this.#context, 'signerFailed', describeFailure(error));
    this.#settle(own, undefined);
  }

  #settle(own: OwnEntry, signature: DiscoverySignature | undefined): void {
    const { waiting } = own;
    if (waiting === undefined) return;
    this.#signing--;
    own.signature = signature;
    own.waiting = undefined;
    for (const tell of waiting) tell(signature);
  }

  /** Learns from a record of the list what is there already, also what this node attested before it started anew. */
  learn(record: ListedRecord): void {
    const { self } = this.#context;
    const waiting = this.#queue.get(record.identity);
    const known = this.#own.get(record.identity);
    const isNewToMe = (known === undefined || known.expiration < record.expiration) && record.attesters.includes(self);
    if (!isNewToMe && (waiting === undefined || waiting.expiration >= record.expiration)) return;

    const mine = listedWord(record, self);
    const entry = this.#book.enter(record);
    whenJudged(entry, () => this.#guarded(() => this.#learnFrom(record, entry, mine?.signature)));
  }

  #learnFrom(record: ListedRecord, entry: BookEntry, mine?: DiscoverySignature): void {
    const { verdict } = entry;
    if (verdict?.ok !== true) return;
    if (verdict.identity !== record.identity || verdict.expiration !== record.expiration) return;
    this.#queue.superseded(record.identity, record.expiration);
    if (mine === undefined) return;
    const { self } = this.#context;
    const word = entry.find(self, mine);
    if (word === undefined) return;
    whenJudged(word, (judged) =>
      this.#guarded(() => {
        if (judged.ok && judged.identity === self) this.#adopt(record, entry, mine);
      }),
    );
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      raiseAlarm(this.#context, 'internal', describeFailure(error));
    }
  }

  #adopt({ identity, expiration }: ListedRecord, entry: BookEntry, signature: DiscoverySignature): void {
    if ((this.#own.get(identity)?.expiration ?? 0) >= expiration) return;
    const own = newOwnEntry(identity, entry, expiration, this.#context.time.elapsed());
    own.signature = signature;
    own.waiting = undefined;
    this.#own.set(own);
  }

  /**
   * What this node attested and the list has no more goes on its way again: whoever leads may have lost it, or taken it
   * out. A call while one runs has it run once more. O(n).
   */
  requeueMissing(): Promise<void> {
    this.#requeueAgain = true;
    this.#requeueing ??= this.#requeue().finally(() => {
      this.#requeueing = undefined;
    });
    return this.#requeueing;
  }

  async #requeue(): Promise<void> {
    const pace = new Pace(this.#context);
    while (this.#requeueAgain) {
      this.#requeueAgain = false;
      for (const own of this.#own.values()) {
        this.requeueIfMissing(own);
        if (pace.isDue()) await pace.pause();
      }
    }
  }

  /** The same of one of them. */
  requeueIfMissing(own: OwnEntry): void {
    const { identity, expiration, signature } = own;
    if (own.listedIn?.isLive === true) return;
    if (signature === undefined || this.#queue.get(identity) !== undefined || this.#isListed(own)) return;
    const { entry } = own;
    const { packet } = entry;
    if (!this.#queue.hasRoom(packet.length, this.#signing)) return;
    this.#queue.add({ identity, expiration, packet, entry, signature });
  }

  #isListed(own: OwnEntry): boolean {
    return this.#context.ports.list.get(own.identity).some((record) => {
      if (record.expiration > own.expiration) return this.#book.enter(record).verdict?.ok !== false;
      const mine = listedWord(record, this.#context.self);
      if (record.expiration < own.expiration || mine === undefined || own.signature === undefined) return false;
      const isListed = sameBytes(mine.signature.signature, own.signature.signature);
      if (isListed) own.listedIn = record;
      return isListed;
    });
  }

  /** The book has forgotten its verdicts: those on what this node attested are made anew. */
  judgeAnew(): void {
    for (const own of this.#own.values()) {
      own.entry = this.#book.packet(own.entry.packet);
      this.#own.set(own);
    }
  }

  /** How much of what this node attested a listing holds, in that version or a newer one; in steps. */
  share(listing: readonly ListedItem[], question: ShareQuestion): Steps<OwnShare> {
    return this.#own.share(listing, question, this.#context.config.recordsPerSlice);
  }

  /** Whether a packet must be remembered although the list does not have it. */
  needs(entry: BookEntry): boolean {
    const verdict = entry.verdict;
    if (verdict?.ok !== true) return false;
    return this.#own.get(verdict.identity)?.entry.key === entry.key;
  }

  /** Drops what has expired; it is looked for once in a while only, since there is much of it. */
  tick(): void {
    const { time } = this.#context;
    if (time.elapsed() < this.#nextSweepAt) return;
    this.#nextSweepAt = time.elapsed() + SWEEP_SECONDS;
    const wallNow = time.wallNow();
    for (const own of this.#own.values()) if (own.expiration <= wallNow) this.#own.delete(own.identity);
  }
}

/** Tells the signature, undefined when none could be made: at once when it is there. What is told must not throw. */
export function whenSigned(own: OwnEntry, tell: (signature: DiscoverySignature | undefined) => void): void {
  if (own.waiting === undefined) tell(own.signature);
  else own.waiting.push(tell);
}

function newOwnEntry(identity: string, entry: BookEntry, expiration: number, attestedAt: number): OwnEntry {
  return { identity, entry, expiration, attestedAt, signature: undefined, waiting: [], listedIn: undefined };
}
