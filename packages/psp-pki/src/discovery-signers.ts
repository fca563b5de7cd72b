import { CertificateVerifier } from './certificate-verifier.js';
import { openDetachedSignatureAsync, type DetachedSignature } from './detached-signature.js';
import { networkProfile } from './profile.js';
import { createTrustRoot, type TrustRoot } from './trust-root.js';
import type { VerifyPool } from './verify-pool.js';

/** A version of a trust root, as far as certificates are concerned. `TrustRootDocument` of psp-envelope fits. */
export interface TrustRootFacts {
  /** Name of the network profile. */
  readonly profile: string;
  readonly threshold: number;
  readonly authorities: Iterable<string>;
  readonly nodes: Iterable<{ readonly identity: string }>;
}

/** The trust root of a version of it. @throws PkiError as {@link createTrustRoot} and `networkProfile` */
export function trustRootOf({ profile, threshold, authorities, nodes }: TrustRootFacts): TrustRoot {
  const discoveryNodes = Array.from(nodes, ({ identity }) => identity);
  return createTrustRoot({ profile: networkProfile(profile), threshold, authorities, discoveryNodes });
}

/** The discovery nodes of one trust root as judges of signatures. */
export class DiscoverySigners {
  readonly #certificates: CertificateVerifier;

  /** @throws PkiError `PKI_INVALID_ARGUMENT` for a root that `createTrustRoot` would refuse */
  constructor(root: TrustRoot, pool?: VerifyPool) {
    this.#certificates = new CertificateVerifier({ root, ...(pool === undefined ? {} : { pool }) });
  }

  /**
   * The discovery node whose signature over exactly `content` this is, when its certificate holds at a moment in Unix
   * seconds; undefined when it is none's. Never rejects.
   */
  async signerOf(signature: DetachedSignature, content: Uint8Array, atSeconds: number): Promise<string | undefined> {
    const opened = await openDetachedSignatureAsync(signature, content, this.#certificates, Math.floor(atSeconds));
    if (!opened.ok) return undefined;
    const { text } = opened.certificate.identity;
    return this.#certificates.root.discoveryNodes.has(text) ? text : undefined;
  }
}
