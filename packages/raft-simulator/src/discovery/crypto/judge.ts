import type { PacketVerdict, SignatureVerdict, Verifier } from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { Keyring, Period } from './keyring.js';
import { splitPacket } from './packets.js';

const FORGED = { ok: false, code: 'forged' } as const;
const OUT_OF_DATE = { ok: false, code: 'dates', timeDependent: true } as const;

/** Verifies as a node does: from the bytes and a time alone. */
export class Judge implements Verifier {
  readonly #ring: Keyring;
  readonly #pause: (() => Promise<void>) | undefined;

  /** @param pause how long a verification takes; left out for no time */
  constructor(ring: Keyring, pause?: () => Promise<void>) {
    this.#ring = ring;
    this.#pause = pause;
  }

  async verifyPacket(packet: Uint8Array, atSeconds: number): Promise<PacketVerdict> {
    if (this.#pause !== undefined) await this.#pause();
    const parts = splitPacket(packet);
    if (parts === undefined) return FORGED;
    if (!this.#isClaimedFor(parts.signature, atSeconds)) return OUT_OF_DATE;
    const signer = this.#ring.signer(parts.signature, parts.itemBytes);
    if (signer === null) return FORGED;
    const { identity, notBefore, notAfter } = signer;
    return { ok: true, item: parts.item, itemBytes: parts.itemBytes, signer: identity, notBefore, notAfter };
  }

  async verifySignature(
    signature: DiscoverySignature,
    content: Uint8Array,
    atSeconds: number,
  ): Promise<SignatureVerdict> {
    if (this.#pause !== undefined) await this.#pause();
    if (!this.#isClaimedFor(signature, atSeconds)) return OUT_OF_DATE;
    const signer = this.#ring.signer(signature, content);
    if (signer === null) return FORGED;
    return { ok: true, identity: signer.identity, notBefore: signer.notBefore, notAfter: signer.notAfter };
  }

  /** Whether a certificate holds by its own dates, which are looked at before any signature, as a node does. */
  #isClaimedFor({ certificate }: DiscoverySignature, atSeconds: number): boolean {
    const claimed = this.#ring.claimedPeriod(certificate);
    return claimed === null || holds(claimed, atSeconds);
  }
}

/** Whether a certificate holds at a time, Unix seconds. */
export function holds({ notBefore, notAfter }: Period, atSeconds: number): boolean {
  return notBefore <= atSeconds && atSeconds <= notAfter;
}
