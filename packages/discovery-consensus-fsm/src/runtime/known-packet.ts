import type { DiscoveryItem } from '@discovery-raft/protocol';
import { readDiscoveryItem } from '@discovery-raft/psp-envelope';
import type { VerifiedPacket } from '../ports.js';

/** What has the bytes of a packet: a record of the list, or a message. */
export interface PacketSource {
  readonly packet: Uint8Array;
  /** The same without a copy, where `packet` is one: to be read at once, and not to be kept. */
  peekPacket?(): Uint8Array;
  /** Of a record: where it stands in the log, and whether it is in the list. */
  readonly index?: number;
  readonly isLive?: boolean;
}

/**
 * A good verdict on a packet as it is kept: there are as many as items in the list, so it holds no object that can be made
 * again from the packet. The item's bytes are taken out of the packet when it holds them in one piece.
 */
export class KnownPacket implements VerifiedPacket {
  readonly ok = true;
  readonly notBefore: number;
  readonly notAfter: number;
  /** As the item says it; Unix seconds. */
  readonly expiration: number;
  /** Whether the item keeps the rules that do not depend on the time. */
  readonly keepsRules: boolean;
  readonly itemLength: number;
  #identity: string;
  /** Undefined when it is the identity. */
  readonly #signer: string | undefined;
  readonly #source: PacketSource;
  /** Where the item begins in the packet. */
  readonly #at: number;
  /** The item, when it is not in the packet as it is. */
  readonly #bytes: Uint8Array | undefined;

  /**
   * @param packet what was verified
   * @param source has the same bytes for as long as the verdict is kept
   */
  constructor(verified: VerifiedPacket, packet: Uint8Array, source: PacketSource, keepsRules: boolean) {
    const { item, itemBytes, signer } = verified;
    this.notBefore = verified.notBefore;
    this.notAfter = verified.notAfter;
    this.#identity = item.identity;
    this.#signer = signer === item.identity ? undefined : signer;
    this.expiration = Number(item.expiration);
    this.keepsRules = keepsRules;
    this.#source = source;
    this.#at = placeOf(itemBytes, packet);
    this.itemLength = itemBytes.length;
    this.#bytes = this.#at < 0 ? itemBytes : undefined;
  }

  /** Whose item it is, as it says itself. */
  get identity(): string {
    return this.#identity;
  }

  get signer(): string {
    return this.#signer ?? this.#identity;
  }

  /** Whether a list that says this of the packet says the truth. Keeps the list's text in place of one of its own. */
  isOf(identity: string, expiration: number): boolean {
    if (identity !== this.#identity || expiration !== this.expiration) return false;
    this.#identity = identity;
    return true;
  }

  /** To be read at once, and not to be kept. */
  get itemBytes(): Uint8Array {
    if (this.#bytes !== undefined) return this.#bytes;
    const source = this.#source;
    const packet = source.peekPacket?.() ?? source.packet;
    return packet.subarray(this.#at, this.#at + this.itemLength);
  }

  /** Decoded anew each time. */
  get item(): DiscoveryItem {
    const item = readDiscoveryItem(this.itemBytes);
    if (item === undefined) throw new Error('the verifier gave bytes that are no item');
    return item;
  }
}

/** Bytes that are compared for each byte of a packet before its item is taken not to be in it: nobody shall make that slow. */
const COMPARISONS_PER_BYTE = 8;

/** Where `part` first stands in `whole`; -1 for nowhere, or when that takes too long to tell. */
function placeOf(part: Uint8Array, whole: Uint8Array): number {
  if (part.buffer === whole.buffer && part.byteOffset >= whole.byteOffset) {
    const at = part.byteOffset - whole.byteOffset;
    if (at + part.length <= whole.length) return at;
  }
  let left = whole.length * COMPARISONS_PER_BYTE;
  for (let at = 0; at + part.length <= whole.length && left > 0; at++) {
    let same = 0;
    while (same < part.length && part[same] === whole[at + same]) same++;
    if (same === part.length) return at;
    left -= same + 1;
  }
  return -1;
}
