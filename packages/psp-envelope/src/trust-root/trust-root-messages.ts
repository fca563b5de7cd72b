import { create, toBinary } from '@bufbuild/protobuf';
import {
  SignedTrustRootSchema,
  TrustRootsSchema,
  type PullTrustRoots,
  type SignedTrustRoot,
  type TrustRoots,
} from '@discovery-raft/protocol';
import { decodeDiscoveryBody } from '../psp/discovery-message.js';
import { MAX_TRUST_ROOTS_BYTES } from '../psp/events.js';
import { MAX_ROOTS_PER_MESSAGE, type TrustRootChain } from './trust-root-chain.js';

/** Tag and length of a field. */
const FIELD_BYTES = 6;
/** For the request's number. */
const HEAD_BYTES = 16;

/** Answers event 2012: the roots behind the asker's, as many as one message holds. It asks again for the rest. */
export function answerRootPull(chain: TrustRootChain, { requestID, newerThan }: PullTrustRoots): TrustRoots {
  return create(TrustRootsSchema, { requestID, roots: thatFit(chain.after(Number(newerThan))) });
}

/** Signed roots in one piece: what a node keeps, `/trust-roots` serves and `root export` writes. */
export function encodeTrustRoots(roots: readonly SignedTrustRoot[]): Uint8Array {
  return toBinary(TrustRootsSchema, create(TrustRootsSchema, { roots: [...roots] }), { writeUnknownFields: false });
}

/**
 * Reads such a piece. Nothing is verified: see `TrustRootChain.extend`.
 *
 * @throws EnvelopeError ENVELOPE_TOO_LARGE, ENVELOPE_MALFORMED
 */
export function decodeTrustRoots(bytes: Uint8Array): readonly SignedTrustRoot[] {
  const message = decodeDiscoveryBody('trustRoots', bytes);
  return message.event === 'trustRoots' ? message.body.roots : [];
}

function thatFit(roots: readonly SignedTrustRoot[]): SignedTrustRoot[] {
  const taken: SignedTrustRoot[] = [];
  let bytes = HEAD_BYTES;
  for (const root of roots.slice(0, MAX_ROOTS_PER_MESSAGE)) {
    bytes += FIELD_BYTES + toBinary(SignedTrustRootSchema, root).length;
    if (bytes > MAX_TRUST_ROOTS_BYTES) break;
    taken.push(root);
  }
  return taken;
}
