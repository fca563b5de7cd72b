import type { VerdictPeriod } from '@discovery-raft/discovery-consensus-fsm';
import type { TrustRoot } from '@discovery-raft/psp-pki';

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
