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

/** Where good verdicts are kept; see `VerdictMemory`. */
export interface PeriodMemory {
  recall(digest: Uint8Array): VerdictPeriod | undefined;
  note(digest: Uint8Array, period: VerdictPeriod): void;
}

/** What a {@link RememberingVerifier} is made of. */
export interface RememberingVerifierOptions {
  readonly verifier: Verifier;
  readonly memory: PeriodMemory;
  /** Digest of whom the node believes at this moment; under another one nothing is recalled. */
  readonly basis: () => Uint8Array;
  /** Signatures over more are not remembered: a listing is signed once and never comes again. Default 4,096. */
  readonly maxPacketBytes?: number | undefined;
}

/** The first byte of what is hashed, so that no packet can be taken for a signature. */
const KIND = { packet: 1, signature: 2 } as const;
const LENGTH_BYTES = 4;

/**
 * Remembers the good verdicts of another verifier, and recalls them without a single signature check: what the bytes say is
 * read again, and that they are authentic, and in which period, is looked up.
 */
export class RememberingVerifier implements Verifier {
  readonly #verifier: Verifier;
  readonly #memory: PeriodMemory;
  readonly #basis: () => Uint8Array;
  readonly #maxContentBytes: number;
  #scratch: Buffer;

  constructor({ verifier, memory, basis, maxPacketBytes = 4096 }: RememberingVerifierOptions) {
    this.#verifier = verifier;
    this.#memory = memory;
    this.#basis = basis;
    this.#maxContentBytes = maxPacketBytes;
    this.#scratch = Buffer.alloc(4 * maxPacketBytes);
  }

  verifyPacket(packet: Uint8Array, atSeconds: number): Promise<PacketVerdict> {
    return this.#verifier.verifyPacket(packet, atSeconds).then((verdict) => {
      if (verdict.ok) this.#memory.note(this.#digestOf(KIND.packet, [packet]), verdict);
      return verdict;
    });
  }

  async verifySignature(
    signature: DiscoverySignature,
    content: Uint8Array,
    atSeconds: number,
  ): Promise<SignatureVerdict> {
    const verdict = await this.#verifier.verifySignature(signature, content, atSeconds);
    if (verdict.ok && content.length <= this.#maxContentBytes)
      this.#memory.note(this.#signatureDigest(signature, content), verdict);
    return verdict;
  }

  recallPacket(packet: Uint8Array): VerifiedPacket | undefined {
    const period = this.#memory.recall(this.#digestOf(KIND.packet, [packet]));
    if (period === undefined) return undefined;
    const claims = readOrUndefined(() => peekSignedMessage(packet));
    const item = claims === undefined ? undefined : readDiscoveryItem(claims.message);
    if (claims === undefined || item === undefined) return undefined;
    return { ok: true, item, itemBytes: claims.message.slice(), signer: claims.identity, ...period };
  }

  recallSignature(signature: DiscoverySignature, content: Uint8Array): VerifiedSignature | undefined {
    if (content.length > this.#maxContentBytes) return undefined;
    const period = this.#memory.recall(this.#signatureDigest(signature, content));
    if (period === undefined) return undefined;
    const identity = readOrUndefined(() => peekCertificateIdentity(signature.certificate));
    return identity === undefined ? undefined : { ok: true, identity, ...period };
  }

  #signatureDigest({ certificate, signature }: DiscoverySignature, content: Uint8Array): Uint8Array {
    return this.#digestOf(KIND.signature, [certificate, signature, content]);
  }

  /** SHA-256 of the kind and, each with its length before it, the basis and the parts. */
  #digestOf(kind: number, content: readonly Uint8Array[]): Uint8Array {
    const parts = [this.#basis(), ...content];
    let size = 1;
    for (const { length } of parts) size += LENGTH_BYTES + length;
    if (size > this.#scratch.length) this.#scratch = Buffer.alloc(2 * size);
    const scratch = this.#scratch;
    scratch[0] = kind;
    let at = 1;
    for (const part of parts) {
      at = scratch.writeUInt32BE(part.length, at);
      scratch.set(part, at);
      at += part.length;
    }
    return hash('sha256', scratch.subarray(0, at), 'buffer');
  }
}
