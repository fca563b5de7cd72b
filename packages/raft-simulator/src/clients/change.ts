import type { Server, ServerId } from '@discovery-raft/raft-core';

/** A change of the membership that somebody asks for; named as `Raft`'s calls are. */
export type Change =
  | { readonly kind: 'addVoter' | 'addNonvoter' | 'demoteVoter' | 'removeServer'; readonly id: ServerId }
  | { readonly kind: 'replace'; readonly servers: readonly Server[] };
