import { create } from '@bufbuild/protobuf';
import { PublishToDiscoveryForwardedSchema } from '@discovery-raft/protocol';
import type { DiscoverySignature, PublishToDiscovery, PublishToDiscoveryForwarded } from '@discovery-raft/protocol';
import type { Steps } from '@discovery-raft/psp-envelope';
import { itemFault, lifetimeFault } from '../policy/item-rules.js';
import { listedWord } from '../policy/listed-word.js';
import type { ListedItem } from '../policy/listing.js';
import { sameBytes } from '../policy/listing.js';
import type { ListedRecord, PacketVerdict, VerifiedPacket } from '../ports.js';
import type { PublishSource } from '../operations.js';
import type { Handled, PublishCode, PublishOutcome, RefusalCode } from '../refusals.js';
import { HEEDED } from '../refusals.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm, sendCounted } from './context.js';
import { Deadline } from './deadline.js';
import { ForwardQueue } from './forward-queue.js';
import type { PendingForward } from './forward-queue.js';
import { RateLimiter } from './rate-limiter.js';
import type { BookEntry, RecordBook } from './record-book.js';
import { Pace } from './slices.js';
import { whenJudged } from './verification-queue.js';

/** What this node attested of an identity: the newest packet. */
export interface OwnEntry {
  readonly identity: string;
  entry: BookEntry;
  /** Unix seconds. */
  readonly expiration: number;
  /** When this node attested it, in elapsed seconds. */
  readonly attestedAt: number;
  /** The signature, or that there will be none; undefined once it is there. */
  signing: Promise<DiscoverySignature | undefined> | undefined;
  /** Undefined while it is being made. */
  signature: DiscoverySignature | undefined;
  /** The record that it was found in last. */
  listedIn: ListedRecord | undefined;
}

const ACCEPTED: PublishOutcome = Object.freeze({ code: 'accepted', detail: '' });
const MAX_CERTIFICATE_BYTES = 16 * 1024;
/** Own packets that are given to the list writer at once. */
const MAX_OWN_UPSERTS_UNDER_WAY = 8192;
/** Pause between two looks for what has expired. */
const SWEEP_SECONDS = 30;

/**
 * Takes packets in: from publishers, from followers (when this node leads) and from the leader's requests for
 * attestations. What passes is attested and goes into the {@link ForwardQueue}. Source: DISCOVERY.md section 4.
 */
export class PublishDesk {
  readonly queue: ForwardQueue;
  readonly #context: Context;
  readonly #book: RecordBook;
  readonly #own = new Map<string, OwnEntry>();
  readonly #bySource: RateLimiter;
  readonly #byPrefix: RateLimiter;
  #publishing = 0;
  #forwarding = 0;
  #upserts = 0;
  #signing = 0;
  #leading = false;
  #nextSweepAt = -Infinity;
  #requeueing: Promise<void> | undefined;
  #requeueAgain = false;

  constructor(context: Context, book: RecordBook) {
    const { config } = context;
    this.#context = context;
    this.#book = book;
    this.queue = new ForwardQueue(context);
    this.#bySource = new RateLimiter(config.sourcePublishesPerSecond, config.sourcePublishBurst, config.maxRateBuckets);
    this.#byPrefix = new RateLimiter(config.prefixPublishesPerSecond, config.prefixPublishBurst, config.maxRateBuckets);
  }

  /** A publisher's message. */
  async publish(source: PublishSource, message: PublishToDiscovery): Promise<PublishOutcome> {
    const outcome = await this.#publish(source, message);
    this.#context.tally.publishes[outcome.code]++;
    if (outcome.code !== 'accepted') this.#context.emit('publishRefused', { source: source.source, ...outcome });
    return outcome;
  }

  async #publish({ source, prefix }: PublishSource, message: PublishToDiscovery): Promise<PublishOutcome> {
    const { config, time } = this.#context;
    const now = time.elapsed();
    if (!this.#bySource.take(source, now)) return refused('rateLimited', 'source');
    if (prefix !== undefined && !this.#byPrefix.take(prefix, now)) return refused('rateLimited', 'prefix');
    if (message.version !== config.protocolVersion) return refused('unsupportedVersion', 'version');
    if (this.#publishing >= config.maxPendingPublishes) return refused('overloaded', 'verifications');
    this.#publishing++;
    let outcome: PublishOutcome;
    let identity: string | undefined;
    try {
      ({ outcome, identity } = await this.accept(message.signedDiscoveryItem));
    } finally {
      this.#publishing--;
    }
    if (outcome.code !== 'accepted' || message.requestID === 0n || identity === undefined) return outcome;
    const seen = await this.queue.whenSeen(identity, new Deadline(time, config.confirmSeconds));
    return seen ? outcome : refused('unconfirmed', 'not seen in the shared list yet');
  }

  /** Checks a packet by all rules, attests it and queues it. The same packet again is accepted again. */
  async accept(packet: Uint8Array): Promise<{ outcome: PublishOutcome; identity?: string }> {
    const { config, time } = this.#context;
    if (packet.length === 0) return { outcome: refused('malformed', 'empty packet') };
    if (packet.length > config.maxPacketBytes) {
      return { outcome: refused('tooLarge', `packet of ${packet.length} bytes`) };
    }
    const entry = this.#book.packet(packet);
    const verdict = entry.verdict ?? (await this.#book.verdict(entry));
    if (!verdict.ok) {
      this.#book.forget(entry);
      return { outcome: refused('notAuthentic', verdict.code.slice(0, 200)) };
    }
    const outcome =
      itemFault(verdict, packet.length, config) ??
      lifetimeFault(verdict.item, time.wallNow(), config.maxLifetimeSeconds) ??
      (await this.#attest(entry, verdict));
    if (outcome.code !== 'accepted') this.#release(entry, verdict);
    return { outcome, identity: verdict.item.identity };
  }

  /** A refused packet is remembered only if the list or this node has it: refusals must not fill the memory. */
  #release(entry: BookEntry, { item }: VerifiedPacket): void {
    const isListed = this.#context.ports.list
      .get(item.identity)
      .some((record) => sameBytes(record.packet, entry.packet));
    if (!isListed && !this.needs(entry)) this.#book.forget(entry);
  }

  /** Attests an authentic packet that is newer than what is held; the same one again gives the same answer. */
  async #attest(entry: BookEntry, { item }: VerifiedPacket): Promise<PublishOutcome> {
    const { identity } = item;
    const expiration = Number(item.expiration);
    const held = this.#own.get(identity);
    if (held !== undefined && held.entry.key === entry.key) {
      return (held.signature ?? (await held.signing)) === undefined ? refused('internal', 'signer') : ACCEPTED;
    }
    if (expiration <= (held?.expiration ?? 0)) return refused('notNewer', 'expiration');
    if (this.#listHasNewer(identity, entry, expiration)) return refused('notNewer', 'expiration');
    if (!this.queue.hasRoom(entry.packet.length, this.#signing)) return refused('overloaded', 'forwards');
    if (held === undefined && this.#own.size >= this.#context.config.maxItems) return refused('overloaded', 'items');

    const signing = this.#sign(entry);
    const attestedAt = this.#context.time.elapsed();
    const own = newOwnEntry(identity, entry, expiration, attestedAt, signing);
    this.#own.set(identity, own);
    const signature = await signing;
    if (signature === undefined) {
      if (this.#own.get(identity) === own) this.#own.delete(identity);
      return refused('internal', 'signer');
    }
    own.signature = signature;
    own.signing = undefined;
    // A newer packet may have come in while this one was being signed.
    if (this.#own.get(identity) === own) this.queue.add({ identity, expiration, packet: entry.packet, signature });
    return ACCEPTED;
  }

  async #sign(entry: BookEntry): Promise<DiscoverySignature | undefined> {
    this.#signing++;
    try {
      const signature = await this.#context.ports.signer.sign(entry.packet);
      await this.#book.rememberOwn(entry, signature);
      return signature;
    } catch (error) {
      raiseAlarm(this.#context, 'signerFailed', describeFailure(error));
      return undefined;
    } finally {
      this.#signing--;
    }
  }

  /** Only authentic records count: a forged one must not keep its victim from publishing. */
  #listHasNewer(identity: string, entry: BookEntry, expiration: number): boolean {
    return this.#context.ports.list.get(identity).some((record) => {
      if (record.expiration < expiration) return false;
      const other = this.#book.enter(record);
      return other !== entry && other.verdict?.ok === true && other.verdict.item.identity === identity;
    });
  }

  /** A follower's forward, at the leader: both signatures are checked before anything is written. */
  async forwarded(from: string, message: PublishToDiscoveryForwarded): Promise<Handled> {
    const { config } = this.#context;
    const { publishPacket: packet, signature } = message;
    if (!this.#leading) return no('notLeading', '');
    if (message.version !== config.protocolVersion) return no('unsupportedVersion', '');
    if (packet.length === 0 || signature === undefined) return no('malformed', 'packet or signature missing');
    if (packet.length > config.maxPacketBytes || signature.certificate.length > MAX_CERTIFICATE_BYTES) {
      return no('tooLarge', 'packet or certificate');
    }
    if (this.#forwarding >= config.maxPendingPublishes || this.#upserts >= config.maxForwardItems) {
      return no('overloaded', '');
    }
    this.#forwarding++;
    try {
      return await this.#takeForward(from, packet, signature);
    } finally {
      this.#forwarding--;
    }
  }

  async #takeForward(from: string, packet: Uint8Array, signature: DiscoverySignature): Promise<Handled> {
    const { config, time } = this.#context;
    const entry = this.#book.packet(packet);
    const verdict = entry.verdict ?? (await this.#book.verdict(entry));
    if (!verdict.ok) {
      this.#book.forget(entry);
      return no('packetRefused', verdict.code.slice(0, 200));
    }
    const fault =
      itemFault(verdict, packet.length, config) ??
      lifetimeFault(verdict.item, time.wallNow(), config.maxLifetimeSeconds);
    if (fault !== undefined) {
      this.#release(entry, verdict);
      return no('packetRefused', fault.code);
    }
    const word = await this.#book.attestation(entry, from, signature);
    if (!word.ok) return no('badSignature', word.code.slice(0, 200));
    if (word.identity !== from) return no('wrongSigner', word.identity.slice(0, 200));
    if (!this.#leading) return no('notLeading', 'leadership was lost');
    const expiration = Number(verdict.item.expiration);
    void this.#upsert(packet, { attester: from, signature, expiration });
    // The leader has just verified the packet, so it can attest it as well; refusals (an older packet) do no harm here.
    if (this.#book.attestationOf(entry, this.#context.self) === 'missing') void this.#attest(entry, verdict);
    return HEEDED;
  }

  async #upsert(
    packet: Uint8Array,
    attestation: { attester: string; signature: DiscoverySignature; expiration: number },
  ): Promise<void> {
    this.#upserts++;
    try {
      await this.#context.ports.writer.upsert(packet, attestation);
    } catch {
      // Not written now: whoever accepted the packet sends it again until it is seen.
    } finally {
      this.#upserts--;
    }
  }

  /** Accepted packets are written by this node from now on. */
  routeToList(): void {
    this.#leading = true;
    this.queue.route(
      ({ packet, signature, expiration }) =>
        this.#upsert(packet, { attester: this.#context.self, signature, expiration }),
      MAX_OWN_UPSERTS_UNDER_WAY,
    );
  }

  /** Accepted packets go to this leader from now on. */
  routeToLeader(leaderId: string): void {
    this.#leading = false;
    this.queue.route((pending) => this.#forward(leaderId, pending), this.#context.config.maxConcurrentForwards);
  }

  /** Nobody takes accepted packets now; they wait. */
  hold(): void {
    this.#leading = false;
    this.queue.route(undefined, 1);
  }

  #forward(leaderId: string, { identity, packet, signature }: PendingForward): Promise<boolean> {
    const { version, fingerprint } = this.#forwardHeader(identity);
    const body = create(PublishToDiscoveryForwardedSchema, { version, fingerprint, publishPacket: packet, signature });
    return sendCounted(this.#context, leaderId, { event: 'publishToDiscoveryForwarded', body });
  }

  #forwardHeader(identity: string): { version: string; fingerprint: string } {
    const verdict = this.#own.get(identity)?.entry.verdict;
    const fingerprint = verdict?.ok === true ? verdict.item.fingerprint : '';
    return { version: this.#context.config.protocolVersion, fingerprint };
  }

  /** A record entered the list: whether it is what this node waits for. */
  seen(record: ListedRecord): void {
    this.queue.seen(record);
  }

  /** Learns from a record of the list what is there already, also what this node attested before it started anew. */
  learn(record: ListedRecord): void {
    const { self } = this.#context;
    const waiting = this.queue.get(record.identity);
    const mine = listedWord(record, self);
    const known = this.#own.get(record.identity);
    const isNewToMe = mine !== undefined && (known === undefined || known.expiration < record.expiration);
    if (!isNewToMe && (waiting === undefined || waiting.expiration >= record.expiration)) return;

    const entry = this.#book.enter(record);
    whenJudged(entry, (verdict) => this.#guarded(() => this.#learnFrom(record, entry, verdict, mine?.signature)));
  }

  #learnFrom(record: ListedRecord, entry: BookEntry, verdict: PacketVerdict, mine?: DiscoverySignature): void {
    if (!verdict.ok || verdict.item.identity !== record.identity) return;
    if (Number(verdict.item.expiration) !== record.expiration) return;
    this.queue.superseded(record.identity, record.expiration);
    if (mine === undefined) return;
    const { self } = this.#context;
    const word = this.#book.slotOf(entry, self, mine);
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
    const attestedAt = this.#context.time.elapsed();
    const own = newOwnEntry(identity, entry, expiration, attestedAt, undefined);
    own.signature = signature;
    this.#own.set(identity, own);
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
        this.#requeueIfMissing(own);
        if (pace.isDue()) await pace.pause();
      }
    }
  }

  #requeueIfMissing(own: OwnEntry): void {
    const { identity, expiration, signature } = own;
    if (signature === undefined || this.queue.get(identity) !== undefined || this.#isListed(own)) return;
    const { packet } = own.entry;
    if (this.queue.hasRoom(packet.length, this.#signing)) this.queue.add({ identity, expiration, packet, signature });
  }

  #isListed(own: OwnEntry): boolean {
    return this.#context.ports.list.get(own.identity).some((record) => {
      if (record === own.listedIn) return true;
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
    for (const own of this.#own.values()) own.entry = this.#book.packet(own.entry.packet);
  }

  /**
   * How much of what this node attested, at `attestedBy` (elapsed seconds) or before, may be listed at `creation`, and how much of that is, in
   * that version or a newer one. An item whose publisher's certificate has run out by then is nobody's omission.
   *
   * What is listed is counted first: what gives way to a newer packet while the count is interrupted then weighs for the
   * leader and not against it.
   */
  *ownShare(
    listing: readonly ListedItem[],
    creation: number,
    attestedBy: number,
  ): Steps<{ readonly own: number; readonly listed: number }> {
    const { recordsPerSlice } = this.#context.config;
    const counts = ({ expiration, attestedAt, entry }: OwnEntry): boolean => {
      if (expiration <= creation || attestedAt > attestedBy) return false;
      const { verdict } = entry;
      return verdict?.ok === true && verdict.notBefore <= creation && creation <= verdict.notAfter;
    };
    let listed = 0;
    let looked = 0;
    for (const { identity, expiration } of listing) {
      const own = this.#own.get(identity);
      if (own !== undefined && expiration >= own.expiration && counts(own)) listed++;
      if (++looked % recordsPerSlice === 0) yield;
    }
    let own = 0;
    for (const entry of this.#own.values()) {
      if (counts(entry)) own++;
      if (++looked % recordsPerSlice === 0) yield;
    }
    return { own, listed };
  }

  /** Whether a packet must be remembered although the list does not have it. */
  needs(entry: BookEntry): boolean {
    const verdict = entry.verdict;
    if (verdict?.ok !== true) return false;
    return this.#own.get(verdict.item.identity)?.entry.key === entry.key;
  }

  /** Drops what has expired; what this node attested is looked through once in a while only, since there is much of it. */
  tick(): void {
    const { time } = this.#context;
    this.queue.tick();
    if (time.elapsed() < this.#nextSweepAt) return;
    this.#nextSweepAt = time.elapsed() + SWEEP_SECONDS;
    const wallNow = time.wallNow();
    for (const own of this.#own.values()) if (own.expiration <= wallNow) this.#own.delete(own.identity);
  }
}

function newOwnEntry(
  identity: string,
  entry: BookEntry,
  expiration: number,
  attestedAt: number,
  signing: OwnEntry['signing'],
): OwnEntry {
  return { identity, entry, expiration, attestedAt, signing, signature: undefined, listedIn: undefined };
}

function refused(code: PublishCode, detail: string): PublishOutcome {
  return { code, detail };
}

function no(code: RefusalCode, detail: string): Handled {
  return { ok: false, code, detail };
}
