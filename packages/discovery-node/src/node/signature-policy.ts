/**
 * What a node makes of signatures of Raft packets. `require`: signs, and refuses what is not signed. `prefer`: signs, and
 * takes unsigned packets of a peer that has never signed. `off`: neither signs nor looks.
 */
export const SIGNATURE_POLICIES = ['require', 'prefer', 'off'] as const;

/** One of {@link SIGNATURE_POLICIES}. */
export type SignaturePolicy = (typeof SIGNATURE_POLICIES)[number];

/** Works beside any peer. Networks that `init` makes have no other peers than such as sign: there it is `require`. */
export const DEFAULT_SIGNATURE_POLICY: SignaturePolicy = 'prefer';
