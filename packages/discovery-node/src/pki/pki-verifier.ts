import { fromBinary } from '@bufbuild/protobuf';
import type { PacketVerdict, SignatureVerdict, VerdictPeriod, Verifier } from '@discovery-raft/discovery-consensus-fsm';
import { DiscoveryItemSchema, type DiscoveryItem, type DiscoverySignature } from '@discovery-raft/protocol';
import {
  CertificateVerifier,
  openDetachedSignatureAsync,
  openSignedMessageAsync,
  type FlatCertificate,
  type Refusal,
  type TrustRoot,
  type VerifyPool,
} from '@discovery-raft/psp-pki';

/** Verdicts that another moment may change. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set(['PKI_EXPIRED', 'PKI_NOT_YET_VALID', 'PKI_DELEGATE_NOT_VALID']);

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
    let item: DiscoveryItem;
    try {
      item = fromBinary(DiscoveryItemSchema, itemBytes);
    } catch {
      return { ok: false, code: 'ITEM_MALFORMED', detail: 'the signed message is no DiscoveryItem' };
    }
    // A copy: verdicts are kept for as long as the item is listed, and must not keep the message alive they came in.
    return {
      ok: true,
      item,
      itemBytes: itemBytes.slice(),
      signer: certificate.identity.text,
      ...periodOf(certificate),
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
    return { ok: true, identity: certificate.identity.text, ...periodOf(certificate) };
  }
}

function wholeSeconds(seconds: number): number {
  return Math.floor(seconds);
}

function failed(refusal: Refusal): { ok: false; code: string; detail: string; timeDependent: boolean } {
  return { ok: false, code: refusal.code, detail: refusal.detail, timeDependent: TIME_DEPENDENT.has(refusal.code) };
}

/** The dates of the certificate and of all that vouch for it. */
function periodOf(certificate: FlatCertificate): VerdictPeriod {
  let { notBefore, notAfter } = certificate;
  for (const { certificate: signer } of certificate.trustSignatures) {
    notBefore = Math.max(notBefore, signer.notBefore);
    notAfter = Math.min(notAfter, signer.notAfter);
  }
  return { notBefore, notAfter };
}
