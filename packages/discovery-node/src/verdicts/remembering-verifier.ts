import { hash } from 'node:crypto';
import type {
  PacketVerdict,
  SignatureVerdict,
  VerdictPeriod,
  VerifiedPacket,
  VerifiedSignature,
  Verifier,
} from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoverySignature } from '@discovery-raft/protocol';
import { readDiscoveryItem } from '@discovery-raft/psp-envelope';
import { peekCertificateIdentity, peekSignedMessage } from '@discovery-raft/psp-pki';
import { readOrUndefined } from '../pki/read-or-undefined.js';
import { sha256 } from '../pki/sha256.js';

/** Where good verdicts are kept; see `VerdictMemory`. */
export interface PeriodMemory {
  /** The digest is good for the time of the call only; so is that of `note`. */
  recall(digest: Uint8Array): VerdictPeriod | undefined;
  note(digest: Uint8Array, period: VerdictPeriod): void;
}

/** What a {@link RememberingVerifier} is made of. */
export interface RememberingVerifierOptions {
  readonly verifier: Verifier;
  readonly memory: PeriodMemory;
  /** Digest of whom the node believes at this moment, 32 bytes; under another one nothing is recalled. The same while it holds. */
  readonly basis: () => Uint8Array;
}

const DIGEST_BYTES = 32;
const LENGTH_BYTES = 4;
/** What most signatures with their certificates need. */
const SCRATCH_BYTES = 1024;

/**
 * Remembers the good verdicts of another verifier, and recalls them without a single signature check: what the bytes say is
 * read again, and that they are authentic, and in which period, is looked up.
 */
export class RememberingVerifier implements Verifier {
  readonly #verifier: Verifier;
  readonly #memory: PeriodMemory;
  readonly #basis: () => Uint8Array;
  #masks: Masks | undefined;
  readonly #key = new Uint8Array(DIGEST_BYTES);
  #scratch = Buffer.alloc(SCRATCH_BYTES);

  constructor({ verifier, memory, basis }: RememberingVerifierOptions) {
    this.#verifier = verifier;
    this.#memory = memory;
    this.#basis = basis;
  }

  verifyPacket(packet: Uint8Array, atSeconds: number, digest?: Uint8Array): Promise<PacketVerdict> {
    if (digest === undefined) return this.#verifier.verifyPacket(packet, atSeconds);
    return new Promise((tell, failed) => this.verifyPacketThen(packet, atSeconds, digest, tell, failed));
  }

  verifyPacketThen(
    packet: Uint8Array,
    atSeconds: number,
    digest: Uint8Array,
    tell: (verdict: PacketVerdict) => void,
    failed: (error: unknown) => void,
  ): void {
    const verifier = this.#verifier;
    const basis = this.#basis();
    const noted = (verdict: PacketVerdict): void => {
      if (verdict.ok && this.#isStill(basis)) this.#memory.note(this.#packetKey(digest), verdict);
      tell(verdict);
    };
    if (verifier.verifyPacketThen === undefined) verifier.verifyPacket(packet, atSeconds).then(noted, failed);
    else verifier.verifyPacketThen(packet, atSeconds, digest, noted, failed);
  }

  async verifySignature(
    signature: DiscoverySignature,
    content: Uint8Array,
    atSeconds: number,
    digest?: Uint8Array,
  ): Promise<SignatureVerdict> {
    const basis = this.#basis();
    const verdict = await this.#verifier.verifySignature(signature, content, atSeconds);
    if (verdict.ok && digest !== undefined && this.#isStill(basis))
      this.#memory.note(this.#signatureKey(signature, digest), verdict);
    return verdict;
  }

  recallPacket(packet: Uint8Array, digest: Uint8Array): VerifiedPacket | undefined {
    const period = this.#memory.recall(this.#packetKey(digest));
    if (period === undefined) return undefined;
    const claims = readOrUndefined(() => peekSignedMessage(packet));
    const item = claims === undefined ? undefined : readDiscoveryItem(claims.message);
    if (claims === undefined || item === undefined) return undefined;
    return { ok: true, item, itemBytes: claims.message, signer: claims.identity, ...period };
  }

  recallSignature(signature: DiscoverySignature, digest: Uint8Array): VerifiedSignature | undefined {
    const period = this.#memory.recall(this.#signatureKey(signature, digest));
    if (period === undefined) return undefined;
    const identity = readOrUndefined(() => peekCertificateIdentity(signature.certificate));
    return identity === undefined ? undefined : { ok: true, identity, ...period };
  }

  /** Whether what was found by those whom the node believed then is still so. */
  #isStill(basis: Uint8Array): boolean {
    return this.#basis() === basis;
  }

  #packetKey(digest: Uint8Array): Uint8Array {
    return this.#masked(digest, this.#masksNow().packet);
  }

  /** Of the certificate, the signature and what it covers: SHA-256 of the three, the first two with their length before them. */
  #signatureKey({ certificate, signature }: DiscoverySignature, digest: Uint8Array): Uint8Array {
    const size = 2 * LENGTH_BYTES + certificate.length + signature.length + digest.length;
    if (size > this.#scratch.length) this.#scratch = Buffer.alloc(2 * size);
    const scratch = this.#scratch;
    let at = 0;
    for (const part of [certificate, signature]) {
      at = scratch.writeUInt32BE(part.length, at);
      scratch.set(part, at);
      at += part.length;
    }
    scratch.set(digest, at);
    return this.#masked(sha256(scratch.subarray(0, size)), this.#masksNow().signature);
  }

  /** Good until the next call. */
  #masked(digest: Uint8Array, mask: Uint8Array): Uint8Array {
    const key = this.#key;
    for (let i = 0; i < DIGEST_BYTES; i++) key[i] = digest[i]! ^ mask[i]!;
    return key;
  }

  #masksNow(): Masks {
    const basis = this.#basis();
    if (this.#masks?.basis !== basis) this.#masks = masksOf(basis);
    return this.#masks;
  }
}

/**
 * What is laid over digests, so that none is found under another basis, nor a packet's for a signature's. A hash of both
 * would say the same and cost as much as that of the packet again. For two that are different to meet, their digests would have
 * to differ by exactly what the masks differ by, which is as hard to find as two of the same digest.
 */
interface Masks {
  readonly basis: Uint8Array;
  readonly packet: Uint8Array;
  readonly signature: Uint8Array;
}

function masksOf(basis: Uint8Array): Masks {
  const mask = (kind: number): Uint8Array => hash('sha256', Buffer.concat([Uint8Array.of(kind), basis]), 'buffer');
  return { basis, packet: mask(1), signature: mask(2) };
}
