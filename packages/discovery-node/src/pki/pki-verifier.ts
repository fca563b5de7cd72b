import type { PacketVerdict, SignatureVerdict, VerdictPeriod, Verifier } from '@discovery-raft/discovery-consensus-fsm';
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

/** The trust roots of a verifier, each with the period in which its authorities count. Unix seconds, both ends included. */
export interface VerifierRoots {
  /** Grows with every new root, and only then. */
  readonly version: number;
  /** Whose authorities judge publishers at a moment. */
  at(unixSeconds: number): VerdictPeriod & { readonly root: TrustRoot };
  /** Every discovery node that any root names: whose signature counts when, the consensus judges. */
  readonly everyNode: TrustRoot;
}

/** A root that never changes. */
export function oneRoot(root: TrustRoot): VerifierRoots {
  const always = { root, notBefore: 0, notAfter: Number.MAX_SAFE_INTEGER };
  return { version: 1, at: () => always, everyNode: root };
}

/** The consensus' judge on node:crypto: verifies off the main thread, each certificate once. */
export class PkiVerifier implements Verifier {
  readonly #roots: VerifierRoots;
  readonly #maxPacketBytes: number;
  readonly #pool: VerifyPool | undefined;
  /** By the root whose authorities judge. */
  readonly #publishers = new WeakMap<TrustRoot, CertificateVerifier>();
  #nodes: { readonly version: number; readonly certificates: CertificateVerifier } | undefined;

  /**
   * @param maxPacketBytes longest signed packet that is looked at
   * @param pool where signatures are verified; default libuv's pool
   */
  constructor(roots: VerifierRoots, maxPacketBytes = 4096, pool?: VerifyPool) {
    this.#roots = roots;
    this.#pool = pool;
    this.#maxPacketBytes = maxPacketBytes;
  }

  async verifyPacket(packet: Uint8Array, atSeconds: number): Promise<PacketVerdict> {
    const { root, ...inForce } = this.#roots.at(atSeconds);
    const opened = await openSignedMessageAsync(packet, this.#publishersOf(root), wholeSeconds(atSeconds), {
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
      ...narrowed(validityOf(certificate), inForce),
    };
  }

  async verifySignature(
    signature: DiscoverySignature,
    content: Uint8Array,
    atSeconds: number,
  ): Promise<SignatureVerdict> {
    const certificates = this.#nodeCertificates();
    const opened = await openDetachedSignatureAsync(signature, content, certificates, wholeSeconds(atSeconds));
    if (!opened.ok) return failed(opened);
    const { certificate } = opened;
    return { ok: true, identity: certificate.identity.text, ...validityOf(certificate) };
  }

  #publishersOf(root: TrustRoot): CertificateVerifier {
    let certificates = this.#publishers.get(root);
    if (certificates === undefined) {
      certificates = this.#newVerifier(root);
      this.#publishers.set(root, certificates);
    }
    return certificates;
  }

  #nodeCertificates(): CertificateVerifier {
    const { version, everyNode } = this.#roots;
    if (this.#nodes?.version !== version) this.#nodes = { version, certificates: this.#newVerifier(everyNode) };
    return this.#nodes.certificates;
  }

  #newVerifier(root: TrustRoot): CertificateVerifier {
    return new CertificateVerifier({ root, ...(this.#pool === undefined ? {} : { pool: this.#pool }) });
  }
}

function narrowed(a: VerdictPeriod, b: VerdictPeriod): VerdictPeriod {
  return { notBefore: Math.max(a.notBefore, b.notBefore), notAfter: Math.min(a.notAfter, b.notAfter) };
}

function wholeSeconds(seconds: number): number {
  return Math.floor(seconds);
}

function failed(refusal: Refusal): { ok: false; code: string; detail: string; timeDependent: boolean } {
  return { ok: false, code: refusal.code, detail: refusal.detail, timeDependent: isTimeDependent(refusal.code) };
}
