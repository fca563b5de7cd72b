import type { PacketVerdict, SignatureVerdict, VerdictPeriod, Verifier } from '@discovery-raft/discovery-consensus-fsm';
import type { DiscoverySignature } from '@discovery-raft/protocol';
import { readDiscoveryItem } from '@discovery-raft/psp-envelope';
import {
  CertificateVerifier,
  isTimeDependent,
  openDetachedSignatureAsync,
  openSignedMessageThen,
  validityOf,
  type Refusal,
  type SignedMessage,
  type TrustRoot,
  type VerifyPool,
} from '@discovery-raft/psp-pki';
import { NodeCertificates } from './node-certificates.js';
import type { VerifierRoots } from './verifier-roots.js';

/** The consensus' judge on node:crypto: verifies off the main thread, each certificate once. */
export class PkiVerifier implements Verifier {
  readonly #roots: VerifierRoots;
  readonly #maxPacketBytes: number;
  readonly #pool: { readonly pool?: VerifyPool };
  /** By the root whose authorities judge. */
  readonly #publishers = new WeakMap<TrustRoot, CertificateVerifier>();
  readonly #nodes: NodeCertificates;

  /**
   * @param maxPacketBytes longest signed packet that is looked at
   * @param pool where signatures are verified; default libuv's pool
   */
  constructor(roots: VerifierRoots, maxPacketBytes = 4096, pool?: VerifyPool) {
    this.#roots = roots;
    this.#pool = pool === undefined ? {} : { pool };
    this.#nodes = new NodeCertificates(roots, this.#pool);
    this.#maxPacketBytes = maxPacketBytes;
  }

  verifyPacket(packet: Uint8Array, atSeconds: number): Promise<PacketVerdict> {
    return new Promise((tell) => this.verifyPacketThen(packet, atSeconds, undefined, tell));
  }

  verifyPacketThen(
    packet: Uint8Array,
    atSeconds: number,
    _digest: Uint8Array | undefined,
    tell: (verdict: PacketVerdict) => void,
  ): void {
    const inForce = this.#roots.at(atSeconds);
    const certificates = this.#publishersOf(inForce.root);
    const limits = { maxSignedMessageBytes: this.#maxPacketBytes };
    openSignedMessageThen(packet, certificates, wholeSeconds(atSeconds), limits, (opened) =>
      tell(opened.ok ? packetVerdict(opened.signed, inForce) : failed(opened)),
    );
  }

  async verifySignature(
    signature: DiscoverySignature,
    content: Uint8Array,
    atSeconds: number,
  ): Promise<SignatureVerdict> {
    const { verifier } = this.#nodes;
    const opened = await openDetachedSignatureAsync(signature, content, verifier, wholeSeconds(atSeconds));
    if (!opened.ok) return failed(opened);
    const { certificate } = opened;
    return { ok: true, identity: certificate.identity.text, ...validityOf(certificate) };
  }

  #publishersOf(root: TrustRoot): CertificateVerifier {
    let certificates = this.#publishers.get(root);
    if (certificates === undefined) {
      certificates = new CertificateVerifier({ root, ...this.#pool });
      this.#publishers.set(root, certificates);
    }
    return certificates;
  }
}

/** Of a message that is authentic. */
function packetVerdict({ message, certificate }: SignedMessage, inForce: VerdictPeriod): PacketVerdict {
  const item = readDiscoveryItem(message);
  if (item === undefined) {
    return { ok: false, code: 'ITEM_MALFORMED', detail: 'the signed message is no DiscoveryItem' };
  }
  const { notBefore, notAfter } = narrowed(validityOf(certificate), inForce);
  return { ok: true, item, itemBytes: message, signer: certificate.identity.text, notBefore, notAfter };
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
