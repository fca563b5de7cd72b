import { create } from '@bufbuild/protobuf';
import { PublishToDiscoveryForwardedSchema } from '@discovery-raft/protocol';
import type { DiscoverySignature, PublishToDiscovery, PublishToDiscoveryForwarded } from '@discovery-raft/protocol';
import { heldUntil } from '../policy/verdict-period.js';
import { itemFault, lifetimeFault } from '../policy/item-rules.js';
import type { FailedVerdict, ListedAttestation, ListedRecord, PacketClaims } from '../ports.js';
import type { PublishSource } from '../operations.js';
import type { Handled, PublishCode, PublishOutcome } from '../refusals.js';
import { HEEDED } from '../refusals.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm, sendCounted } from './context.js';
import { Deadline } from './deadline.js';
import { ForwardQueue } from './forward-queue.js';
import type { PendingForward } from './forward-queue.js';
import { no } from './not-heeded.js';
import { OwnEntries, whenSigned } from './own-entries.js';
import { RateLimiter } from './rate-limiter.js';
import type { BookEntry } from './book-entry.js';
import type { OwnEntry } from './own-registry.js';
import type { RecordBook } from './record-book.js';
import type { KnownPacket } from './known-packet.js';

/** Told what came of a packet, and whose it is as far as that was found out; once. Must not throw. */
type Tell = (outcome: PublishOutcome, identity?: string) => void;

const ACCEPTED: PublishOutcome = Object.freeze({ code: 'accepted', detail: '' });
const MAX_CERTIFICATE_BYTES = 16 * 1024;
/** Own packets that are given to the list writer at once. */
const MAX_OWN_UPSERTS_UNDER_WAY = 8192;

/**
 * Takes packets in: from publishers, from followers (when this node leads) and from the leader's requests for
 * attestations. What passes is attested and goes into the {@link ForwardQueue}. Source: DISCOVERY.md section 4.
 */
export class PublishDesk {
  readonly queue: ForwardQueue;
  readonly own: OwnEntries;
  readonly #context: Context;
  readonly #book: RecordBook;
  readonly #bySource: RateLimiter;
  readonly #byPrefix: RateLimiter;
  #publishing = 0;
  #forwarding = 0;
  #upserts = 0;
  #leading = false;

  constructor(context: Context, book: RecordBook) {
    const { config } = context;
    this.#context = context;
    this.#book = book;
    this.queue = new ForwardQueue(context);
    this.own = new OwnEntries(context, book, this.queue);
    this.#bySource = new RateLimiter(config.sourcePublishesPerSecond, config.sourcePublishBurst, config.maxRateBuckets);
    this.#byPrefix = new RateLimiter(config.prefixPublishesPerSecond, config.prefixPublishBurst, config.maxRateBuckets);
  }

  /** A publisher's message. @param tell told what came of it, once; must not throw */
  publish(source: PublishSource, message: PublishToDiscovery, tell: (outcome: PublishOutcome) => void): void {
    this.#publish(source, message, (outcome) => {
      this.#context.tally.publishes[outcome.code]++;
      if (outcome.code !== 'accepted') this.#context.emit('publishRefused', { source: source.source, ...outcome });
      tell(outcome);
    });
  }

  // From here to the receipt there is no promise: thousands of publishes a second come this way, and two dozen
  // promises for each were most of what one cost.

  #publish({ source, prefix }: PublishSource, message: PublishToDiscovery, tell: Tell): void {
    const { config, time } = this.#context;
    const now = time.elapsed();
    if (!this.#bySource.take(source, now)) return tell(refused('rateLimited', 'source'));
    if (prefix !== undefined && !this.#byPrefix.take(prefix, now)) return tell(refused('rateLimited', 'prefix'));
    if (message.version !== config.protocolVersion) return tell(refused('unsupportedVersion', 'version'));
    if (this.#publishing >= config.maxPendingPublishes) return tell(refused('overloaded', 'verifications'));
    this.#publishing++;
    this.#accept(message.signedDiscoveryItem, (outcome, identity) => {
      this.#publishing--;
      if (outcome.code !== 'accepted' || message.requestID === 0n || identity === undefined) return tell(outcome);
      this.queue.whenSeen(identity, new Deadline(time, config.confirmSeconds), (seen) =>
        tell(seen ? outcome : refused('unconfirmed', 'not seen in the shared list yet')),
      );
    });
  }

  /** Checks a packet by all rules, attests it and queues it. The same packet again is accepted again. Never rejects. */
  accept(packet: Uint8Array): Promise<{ outcome: PublishOutcome; identity?: string }> {
    return new Promise((resolve) =>
      this.#accept(packet, (outcome, identity) =>
        resolve(identity === undefined ? { outcome } : { outcome, identity }),
      ),
    );
  }

  #accept(packet: Uint8Array, tell: Tell): void {
    const { config } = this.#context;
    if (packet.length === 0) return tell(refused('malformed', 'empty packet'));
    if (packet.length > config.maxPacketBytes) return tell(refused('tooLarge', `packet of ${packet.length} bytes`));
    this.#guarded(tell, (once) => {
      const entry = this.#book.packet(packet);
      this.#book.whenJudged(entry, () => this.#guarded(once, (settle) => this.#judged(entry, packet, settle)));
    });
  }

  #judged(entry: BookEntry, packet: Uint8Array, tell: Tell): void {
    const { verdict } = entry;
    if (verdict?.ok !== true) {
      this.#book.forget(entry);
      return tell(refused('notAuthentic', describeRefusal(verdict)));
    }
    const settle = (outcome: PublishOutcome): void => {
      if (outcome.code !== 'accepted') this.#release(entry, packet, verdict);
      tell(outcome, verdict.identity);
    };
    const fault = this.#faultOf(verdict, packet);
    if (fault === undefined) this.#attest(entry, packet, verdict, settle);
    else settle(fault);
  }

  #faultOf(known: KnownPacket, packet: Uint8Array): PublishOutcome | undefined {
    const { config, time } = this.#context;
    const fault = known.keepsRules ? undefined : itemFault(known, packet, config);
    return fault ?? lifetimeFault(known.expiration, time.wallNow(), config.maxLifetimeSeconds);
  }

  /** What fails on the way is this node's own fault: an alarm, and no publisher waits for ever. */
  #guarded(tell: Tell, work: (once: Tell) => void): void {
    let isTold = false;
    try {
      work((outcome, identity) => {
        isTold = true;
        tell(outcome, identity);
      });
    } catch (error) {
      raiseAlarm(this.#context, 'internal', describeFailure(error));
      if (!isTold) tell(refused('internal', ''));
    }
  }

  /** A packet that is of no more use is remembered only if the list or this node has it: nobody shall fill the memory with them. */
  #release(entry: BookEntry, packet: Uint8Array, { identity }: KnownPacket): void {
    if (entry.source.isLive === true || this.own.needs(entry)) return;
    const isListed = this.#context.ports.list.get(identity).some((record) => record.hasPacket(packet));
    if (!isListed) this.#book.forget(entry);
  }

  /** Attests an authentic packet that is newer than what is held; the same one again gives the same answer. */
  #attest(
    entry: BookEntry,
    packet: Uint8Array,
    { identity, expiration }: KnownPacket,
    tell: (outcome: PublishOutcome) => void,
  ): void {
    const held = this.own.get(identity);
    const signed = (signature: DiscoverySignature | undefined): void =>
      tell(signature === undefined ? refused('internal', 'signer') : ACCEPTED);
    if (held !== undefined && held.entry.key === entry.key) {
      this.own.renew(held, packet);
      this.own.requeueIfMissing(held);
      return whenSigned(held, signed);
    }
    if (held !== undefined && expiration <= held.expiration && !isListedInstead(entry, expiration, held)) {
      return tell(refused('notNewer', 'expiration'));
    }
    if (this.#listHasNewer(identity, entry, expiration)) return tell(refused('notNewer', 'expiration'));
    const lack = this.own.lackFor(packet.length, held);
    if (lack !== undefined) return tell(refused('overloaded', lack));
    whenSigned(this.own.attest({ identity, entry, packet, expiration }), signed);
    if (held?.entry.verdict?.ok === true) this.#release(held.entry, held.entry.peekPacket(), held.entry.verdict);
  }

  /** Only authentic records count: a forged one must not keep its victim from publishing. */
  #listHasNewer(identity: string, entry: BookEntry, expiration: number): boolean {
    return this.#context.ports.list.get(identity).some((record) => {
      if (record.expiration < expiration) return false;
      const other = this.#book.enter(record);
      return other !== entry && other.verdict?.ok === true && other.verdict.identity === identity;
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
    const entry = this.#book.packet(packet);
    if (entry.verdict === undefined) await this.#book.verdict(entry);
    const { verdict } = entry;
    if (verdict?.ok !== true) {
      this.#book.forget(entry);
      return no('packetRefused', describeRefusal(verdict));
    }
    const fault = this.#faultOf(verdict, packet);
    if (fault !== undefined) {
      this.#release(entry, packet, verdict);
      return no('packetRefused', fault.code);
    }
    const word = await this.#book.attestation(entry, from, signature);
    if (!word.ok) return no('badSignature', word.code.slice(0, 200));
    if (word.identity !== from) return no('wrongSigner', word.identity.slice(0, 200));
    if (!this.#leading) return no('notLeading', 'leadership was lost');
    const attestation = { attester: from, signature, expiration: heldUntil(verdict.expiration, word) };
    this.#upsert(packet, attestation, verdict, () => this.#release(entry, packet, verdict));
    // The leader has just verified the packet, so it can attest it as well; refusals (an older packet) do no harm here.
    if (entry.stateOfWord(this.#context.self) === 'missing') this.#attest(entry, packet, verdict, () => undefined);
    return HEEDED;
  }

  #upsert(packet: Uint8Array, attestation: ListedAttestation, claims: PacketClaims, over?: () => void): void {
    this.#upserts++;
    const settle = (): void => {
      this.#upserts--;
      over?.();
    };
    // What is not written now is sent again until it is seen, by whoever accepted the packet.
    const { writer } = this.#context.ports;
    if (writer.upsertThen === undefined) writer.upsert(packet, attestation, claims).then(settle, settle);
    else writer.upsertThen(packet, attestation, claims, settle, settle);
  }

  /** Accepted packets are written by this node from now on. */
  routeToList(): void {
    this.#leading = true;
    this.queue.route((pending, over) => {
      const { packet, signature } = pending;
      const expiration = this.#book.ownWordUntil(signature, pending.expiration);
      this.#upsert(packet, { attester: this.#context.self, signature, expiration }, pending, over);
    }, MAX_OWN_UPSERTS_UNDER_WAY);
  }

  /** Accepted packets go to this leader from now on. */
  routeToLeader(leaderId: string): void {
    this.#leading = false;
    this.queue.route((pending, over) => {
      this.#forward(leaderId, pending).then(over, over);
    }, this.#context.config.maxConcurrentForwards);
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
    const verdict = this.own.get(identity)?.entry.verdict;
    const fingerprint = verdict?.ok === true ? verdict.item.fingerprint : '';
    return { version: this.#context.config.protocolVersion, fingerprint };
  }

  /** A record entered the list: what is known of its packet, if it is what this node waits for. */
  seen(record: ListedRecord): BookEntry | undefined {
    return this.queue.seen(record);
  }

  /** To be called every now and then: drops what has expired, delivers again what is due. */
  tick(): void {
    this.queue.tick();
    this.own.tick();
  }
}

/**
 * Of two packets of one expiration that in the list counts. Else each node would stand by the one that it was given first, none would
 * have enough attestations, and all would miss theirs in the listing.
 */
function isListedInstead(entry: BookEntry, expiration: number, held: OwnEntry): boolean {
  return expiration === held.expiration && entry.source.isLive === true && held.entry.source.isLive !== true;
}

function describeRefusal(verdict: FailedVerdict | undefined): string {
  return verdict?.code.slice(0, 200) ?? '';
}

function refused(code: PublishCode, detail: string): PublishOutcome {
  return { code, detail };
}
