import { CertificateVerifier, type CertificateVerifierOptions } from '@discovery-raft/psp-pki';
import type { VerifierRoots } from './verifier-roots.js';

/** Certificates of discovery nodes: a judge of those that any root names, which follows the roots. */
export class NodeCertificates {
  readonly #roots: VerifierRoots;
  readonly #options: Omit<CertificateVerifierOptions, 'root'>;
  #made: { readonly version: number; readonly verifier: CertificateVerifier } | undefined;

  constructor(roots: VerifierRoots, options: Omit<CertificateVerifierOptions, 'root'> = {}) {
    this.#roots = roots;
    this.#options = options;
  }

  /** That of the newest root. Another root begins with an empty memory. */
  get verifier(): CertificateVerifier {
    const { version, everyNode } = this.#roots;
    if (this.#made?.version !== version) {
      this.#made = { version, verifier: new CertificateVerifier({ root: everyNode, ...this.#options }) };
    }
    return this.#made.verifier;
  }
}
