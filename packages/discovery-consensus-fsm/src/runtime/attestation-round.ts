import { create } from '@bufbuild/protobuf';
import { DiscoveryRequestAttestationSchema } from '@discovery-raft/protocol';
import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { ListedRecord } from '../ports.js';
import type { Context } from './context.js';
import { sendCounted } from './context.js';
import type { PublishDesk } from './publish-desk.js';
import type { BookEntry, RecordBook } from './record-book.js';
import { Pace } from './slices.js';

/** Requests to one peer in one pass; what is left waits for the next pass. */
const MAX_REQUESTS_PER_PASS = 64;

/**
 * The leader's search for missing attestations: what a record lacks and this node has verified before (a lying leader may
 * have taken it out) goes back into the list; packets that a member has not attested are sent to that member, and the leader
 * attests itself what it has not. Packets that came in just now are left alone, as attestations of them are probably on
 * their way.
 */
export class AttestationRound {
  readonly #context: Context;
  readonly #book: RecordBook;
  readonly #desk: PublishDesk;
  /** Records that every member has attested: they stay so, and there are many. */
  #complete = new WeakSet<ListedRecord>();
  /** Whose attestations those have. */
  #completeFor: ReadonlySet<string> | undefined;
  #running: Promise<void> | undefined;

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
    const { ports, committees, self, time } = this.#context;
    const members = committees.known;
    if (this.#completeFor !== members) this.#complete = new WeakSet();
    this.#completeFor = members;
    const missing = new Map<string, Uint8Array[]>();
    const mine: Uint8Array[] = [];
    const now = time.wallNow();
    const pace = new Pace(this.#context);
    for (const record of ports.list.view().entries()) {
      if (pace.isDue()) {
        await pace.pause();
        if (!isWanted()) return;
      }
      const entry = this.#lacking(record, now);
      if (entry === undefined) continue;
      for (const member of members) {
        if (isNamed(record, member) || this.#book.attestationOf(entry, member) === 'underWay') continue;
        const signature = this.#book.verifiedSignature(entry, member);
        if (signature !== undefined) this.#restore(record, member, signature);
        else if (member === self) mine.push(record.packet);
        else getOrMake(missing, member).push(record.packet);
      }
    }
    const asked = [...missing].map(([peer, packets]) => this.#ask(peer, packets));
    await Promise.all([...asked, ...mine.map((packet) => this.#desk.accept(packet))]);
  }

  #lacking(record: ListedRecord, now: number): BookEntry | undefined {
    const { committees, config, time } = this.#context;
    if (this.#complete.has(record) || record.expiration <= now || !this.#book.knows(record)) return undefined;
    const entry = this.#book.enter(record);
    const { verdict } = entry;
    if (time.elapsed() - entry.seenAt < config.resendSeconds || verdict === undefined) return undefined;
    // A certificate that did not hold yet when the packet came: the others judge at their own time, and so does this node.
    if (!verdict.ok && verdict.timeDependent !== true) return undefined;
    if ([...committees.known].some((member) => !isNamed(record, member))) return entry;
    if (this.#book.worthOf(record) === 'good') this.#complete.add(record);
    return undefined;
  }

  #restore(record: ListedRecord, attester: string, signature: DiscoverySignature): void {
    const { packet, expiration } = record;
    const upsert = async (): Promise<unknown> =>
      this.#context.ports.writer.upsert(packet, { attester, signature, expiration });
    // What cannot be written now is found again in the next pass.
    upsert().catch(() => undefined);
  }

  async #ask(peer: string, packets: readonly Uint8Array[]): Promise<void> {
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
    for (const packet of packets) {
      if (batch.length > 0 && (batch.length >= maxAttestationPackets || bytes + packet.length > maxAttestationBytes)) {
        if (!(await flush()) || requests >= MAX_REQUESTS_PER_PASS) return;
      }
      batch.push(packet);
      bytes += packet.length;
    }
    if (batch.length > 0) await flush();
  }
}

function isNamed(record: ListedRecord, member: string): boolean {
  return record.attesters.includes(member);
}

function getOrMake(map: Map<string, Uint8Array[]>, key: string): Uint8Array[] {
  let list = map.get(key);
  if (list === undefined) {
    list = [];
    map.set(key, list);
  }
  return list;
}
