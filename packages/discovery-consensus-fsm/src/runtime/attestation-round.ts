import { create } from '@bufbuild/protobuf';
import { DiscoveryRequestAttestationSchema } from '@discovery-raft/protocol';
import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { ListedRecord } from '../ports.js';
import type { Context } from './context.js';
import { sendCounted } from './context.js';
import type { PublishDesk } from './publish-desk.js';
import type { JudgedRecord } from './judged-record.js';
import type { RecordBook } from './record-book.js';
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
    const { ports, committees, config, self, time } = this.#context;
    const members = committees.known;
    const most = MAX_REQUESTS_PER_PASS * config.maxAttestationPackets;
    const missing = new Map([...members].map((member): [string, ListedRecord[]] => [member, []]));
    const now = time.wallNow();
    const seenBy = time.elapsed() - config.resendSeconds;
    const pace = new Pace(this.#context);
    for (const record of ports.list.view().entries()) {
      if (pace.isDue()) {
        await pace.pause();
        if (!isWanted()) return;
      }
      if (record.expiration <= now) continue;
      const judged = this.#lacking(record, members, seenBy);
      if (judged === undefined) continue;
      for (const [member, records] of missing) {
        if (isNamed(record, member)) continue;
        const word = this.#wordOf(judged, member);
        if (word === 'underWay') continue;
        if (word !== undefined) this.#restore(record, member, word);
        else if (member === self || records.length < most) records.push(record);
      }
    }
    // A record gives a copy of its packet each time, and several members may lack the same.
    const packets = new Map<ListedRecord, Uint8Array>();
    const packetOf = (record: ListedRecord): Uint8Array => {
      let packet = packets.get(record);
      if (packet === undefined) packets.set(record, (packet = record.packet));
      return packet;
    };
    const asked = [...missing].map(([member, records]) =>
      member === self ? this.#attest(records) : this.#ask(member, records, packetOf),
    );
    await Promise.all(asked);
  }

  /** What is known of a record that some member has not attested, and that is old enough to be asked about. */
  #lacking(record: ListedRecord, members: ReadonlySet<string>, seenBy: number): JudgedRecord | undefined {
    const judged = this.#book.judgedOf(record);
    if (judged === undefined || judged.completeFor === members) return undefined;
    const { seenAt, verdict } = judged.entry;
    if (seenAt > seenBy || verdict === undefined) return undefined;
    // A certificate that did not hold yet when the packet came: the others judge at their own time, and so does this node.
    if (!verdict.ok && verdict.timeDependent !== true) return undefined;
    for (const member of members) if (!isNamed(record, member)) return judged;
    // It stays so, and there are many such records.
    if (this.#book.worthOf(record) === 'good') judged.completeFor = members;
    return undefined;
  }

  /** A signature of a member that the record does not have, although it was verified here. */
  #wordOf({ entry, slots }: JudgedRecord, member: string): DiscoverySignature | 'underWay' | undefined {
    if (entry.attestations === slots) return undefined;
    if (this.#book.attestationOf(entry, member) === 'underWay') return 'underWay';
    return this.#book.verifiedSignature(entry, member);
  }

  async #attest(records: readonly ListedRecord[]): Promise<void> {
    await Promise.all(records.map(({ packet }) => this.#desk.accept(packet)));
  }

  #restore(record: ListedRecord, attester: string, signature: DiscoverySignature): void {
    const { packet, expiration } = record;
    const upsert = async (): Promise<unknown> =>
      this.#context.ports.writer.upsert(packet, { attester, signature, expiration });
    // What cannot be written now is found again in the next pass.
    upsert().catch(() => undefined);
  }

  async #ask(
    peer: string,
    records: readonly ListedRecord[],
    packetOf: (record: ListedRecord) => Uint8Array,
  ): Promise<void> {
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
      const packet = packetOf(record);
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

function isNamed(record: ListedRecord, member: string): boolean {
  return record.attesters.includes(member);
}
