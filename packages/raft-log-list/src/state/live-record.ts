import type { LogIndex } from '@discovery-raft/raft-core';
import { attestationPlaces, packetRange, type AttestationPlace } from '../codec/entry-codec.js';
import type { Attestation, StoredRecord } from '../record.js';
import type { Attesters } from './attesters.js';
import type { RecordRows } from './record-rows.js';
import type { RecordSlabs, Slab, Tenant } from './record-slabs.js';

/** A record as it was read from a log entry, before it is in the list. */
export interface ReadRecord {
  readonly index: LogIndex;
  readonly identity: string;
  readonly expiration: number;
  readonly deleteIndex: LogIndex;
  readonly origin: LogIndex;
  readonly attesters: Attesters;
  /** Its canonical entry; copied when the record enters the list. */
  readonly entry: Uint8Array;
  /** SHA-256 of that, packed. */
  readonly hash: string;
  /** Whether that is what it was read from. */
  readonly isCanonical: boolean;
  /** What it counts for in `liveBytes`. */
  readonly countedBytes: number;
}

/**
 * A record of the list: one small object, and the bytes of its canonical entry in a slab. Packet and attestations are
 * taken out of those bytes when somebody asks, as copies, since whoever kept a window would keep the whole slab.
 */
export class LiveRecord implements StoredRecord, Tenant {
  readonly index: LogIndex;
  readonly identity: string;
  readonly expiration: number;
  readonly deleteIndex: LogIndex;
  readonly origin: LogIndex;
  readonly countedBytes: number;
  /** Where its log index and hash are among the `RecordRows`, while it is in the list and in views of that time. */
  readonly row: number;
  readonly #attesters: Attesters;
  readonly #isCanonical: boolean;
  #isLive = true;
  #dataHash: Uint8Array | undefined = undefined;
  #slab!: Slab;
  #place!: number;

  /** @param identity that of `read`, perhaps another copy of the text, which others share */
  constructor(read: ReadRecord, identity: string, row: number, slabs: RecordSlabs) {
    this.index = read.index;
    this.identity = identity;
    this.expiration = read.expiration;
    this.deleteIndex = read.deleteIndex;
    this.origin = read.origin;
    this.countedBytes = read.countedBytes;
    this.row = row;
    this.#attesters = read.attesters;
    this.#isCanonical = read.isCanonical;
    slabs.add(this, read.entry.length);
    this.#slab.bytes.set(read.entry, this.#slab.begin(this.#place));
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  get packet(): Uint8Array {
    return this.peekPacket().slice();
  }

  peekPacket(): Uint8Array {
    const [begin, end] = this.#packetRange();
    return this.#slab.bytes.subarray(begin, end);
  }

  hasPacket(packet: Uint8Array): boolean {
    const [begin, end] = this.#packetRange();
    if (packet.length !== end - begin) return false;
    return isAt(packet, this.#slab.view, begin);
  }

  get attesters(): readonly string[] {
    return this.#attesters.names;
  }

  get attestations(): readonly Attestation[] {
    const { names, certificates } = this.#attesters;
    if (names.length === 0) return [];
    const { bytes } = this.#slab;
    return this.#places().map(({ begin, end, expiration }, i) => ({
      attester: names[i]!,
      signature: {
        $typeName: 'protocol.DiscoverySignature',
        certificate: certificates[i]!,
        signature: bytes.slice(begin, end),
      },
      expiration,
    }));
  }

  holding(atSeconds: number): number {
    let holding = 0;
    for (const { expiration } of this.#places()) if (expiration > atSeconds) holding++;
    return holding;
  }

  /** Its canonical entry: a window, to be read at once and not kept. */
  get entry(): Uint8Array {
    return this.#slab.bytes.subarray(this.#slab.begin(this.#place), this.#slab.end(this.#place));
  }

  moveTo(slab: Slab, place: number): void {
    this.#slab = slab;
    this.#place = place;
  }

  /** SHA-256 of what it was read from, once it has left the list; undefined when that is not known any more. */
  get dataHash(): Uint8Array | undefined {
    return this.#dataHash;
  }

  /** It has left the list. What still holds it can go on reading it. */
  leave(slabs: RecordSlabs, rows: RecordRows): void {
    this.abandon();
    slabs.remove(this.#slab, this.#place);
    if (this.#isCanonical) this.#dataHash = rows.hashOf(this.row);
    rows.remove(this.row);
  }

  /** The whole list that it was in is no more. */
  abandon(): void {
    this.#isLive = false;
  }

  #places(): readonly AttestationPlace[] {
    const slab = this.#slab;
    return attestationPlaces(slab.bytes, slab.begin(this.#place), slab.end(this.#place));
  }

  #packetRange(): readonly [begin: number, end: number] {
    const slab = this.#slab;
    return packetRange(slab.bytes, slab.begin(this.#place), slab.end(this.#place));
  }
}

/** Whether these bytes stand there; sixteen at a time, which takes a quarter of the time of one by one. */
function isAt(bytes: Uint8Array, view: DataView, at: number): boolean {
  const own = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isOther = (i: number): number => own.getInt32(i, true) ^ view.getInt32(at + i, true);
  let i = 0;
  for (; i + 16 <= bytes.length; i += 16) {
    if ((isOther(i) | isOther(i + 4) | isOther(i + 8) | isOther(i + 12)) !== 0) return false;
  }
  for (; i < bytes.length; i++) if (own.getUint8(i) !== view.getUint8(at + i)) return false;
  return true;
}
