import type { PacketVerdict, SignatureVerdict, Verifier } from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoverySignature } from '@discovery-raft/protocol';
import { readDiscoveryItem } from '@discovery-raft/psp-envelope';
import {
  CertificateVerifier,
  isTimeDependent,
  openDetachedSignatureAsync,
  openSignedMessageAsync,
  validityOf,
  type Refusal,
  type TrustRoot,
  type VerifyPool,
} from '@discovery-raft/psp-pki';

/** The consensus' judge on node:crypto: verifies off the main thread, each certificate once. */
export class PkiVerifier implements Verifier {
  readonly #certificates: CertificateVerifier;
  readonly #maxPacketBytes: number;

  /**
   * @param maxPacketBytes longest signed packet that is looked at
   * @param pool where signatures are verified; default libuv's pool
   */
  constructor(root: TrustRoot, maxPacketBytes = 4096, pool?: VerifyPool) {
    this.#certificates = new CertificateVerifier({ root, ...(pool ? { pool } : {}) });
    this.#maxPacketBytes = maxPacketBytes;
  }

  async verifyPacket(packet: Uint8Array, atSeconds: number): Promise<PacketVerdict> {
    const opened = await openSignedMessageAsync(packet, this.#certificates, wholeSeconds(atSeconds), {
      maxSignedMessageBytes: this.#maxPacketBytes,
    });
    if (!opened.ok) return failed(opened);
    const { message: itemBytes, certificate } = opened.signed;
    const item = readDiscoveryItem(itemBytes);
    if (item === undefined) {
      return { ok: false, code: 'ITEM_MALFORMED', detail: 'the signed message is no DiscoveryItem' };
    }
    // A copy: verdicts are kept for as long as the item is listed, and must not keep the message alive they came in.
    return {
      ok: true,
      item,
      itemBytes: itemBytes.slice(),
      signer: certificate.identity.text,
      ...validityOf(certificate),
    };
  }

  async verifySignature(
    signature: DiscoverySignature,
    content: Uint8Array,
    atSeconds: number,
  ): Promise<SignatureVerdict> {
    const opened = await openDetachedSignatureAsync(signature, content, this.#certificates, wholeSeconds(atSeconds));
    if (!opened.ok) return failed(opened);
    const { certificate } = opened;
    return { ok: true, identity: certificate.identity.text, ...validityOf(certificate) };
  }
}

function wholeSeconds(seconds: number): number {
  return Math.floor(seconds);
}

function failed(refusal: Refusal): { ok: false; code: string; detail: string; timeDependent: boolean } {
  return { ok: false, code: refusal.code, detail: refusal.detail, timeDependent: isTimeDependent(refusal.code) };
}
