/**
 * What a node makes of signatures of Raft packets. `require`: signs, and refuses what is not signed. `prefer`: signs, and
 * takes unsigned packets of a peer that has never signed. `off`: neither signs nor looks.
 */
export const SIGNATURE_POLICIES = ['require', 'prefer', 'off'] as const;

/** One of {@link SIGNATURE_POLICIES}. */
export type SignaturePolicy = (typeof SIGNATURE_POLICIES)[number];
