import { holds } from '../crypto/judge.js';
import type { Certificate, Keyring } from '../crypto/keyring.js';
import { packetKey, splitPacket } from '../crypto/packets.js';

/** An authentic packet that somebody made, forged ones left aside. */
export interface KnownPacket {
  readonly key: string;
  readonly identity: string;
  /** Unix seconds. */
  readonly expiration: number;
  readonly certificate: Certificate;
}

/** Judges packets for the checkers, each once. */
export class KnownPackets {
  readonly #ring: Keyring;
  readonly #byKey = new Map<string, KnownPacket | null>();
  readonly #byItem = new Map<string, KnownPacket[]>();

  constructor(ring: Keyring) {
    this.#ring = ring;
  }

  /** Null for what is not authentic. */
  of(packet: Uint8Array): KnownPacket | null {
    const key = packetKey(packet);
    let known = this.#byKey.get(key);
    if (known === undefined) {
      known = this.#judge(key, packet);
      this.#byKey.set(key, known);
    }
    return known;
  }

  /** The authentic packets that were seen with exactly this item. */
  withItem(itemBytes: Uint8Array): readonly KnownPacket[] {
    return this.#byItem.get(itemKey(itemBytes)) ?? [];
  }

  #judge(key: string, packet: Uint8Array): KnownPacket | null {
    const parts = splitPacket(packet);
    const certificate = parts === undefined ? null : this.#ring.signer(parts.signature, parts.itemBytes);
    if (parts === undefined || certificate === null || certificate.identity !== parts.item.identity) return null;
    const known = { key, identity: certificate.identity, expiration: Number(parts.item.expiration), certificate };
    const item = itemKey(parts.itemBytes);
    this.#byItem.set(item, [...(this.#byItem.get(item) ?? []), known]);
    return known;
  }
}

/** Whether a listing of this creation time may hold the packet's item. */
export function validAt({ expiration, certificate }: KnownPacket, creation: number): boolean {
  return expiration > creation && holds(certificate, creation);
}

function itemKey(itemBytes: Uint8Array): string {
  return Buffer.from(itemBytes).toString('latin1');
}
