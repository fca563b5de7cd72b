import type { DiscoveryRequestConsensusVote } from '@discovery-raft/protocol';
import type { ConsensusConfig } from '../config.js';
import type { NoReason } from './judgement.js';
import { roundOfCreation, slotExpiration } from './slots.js';

/** A vote request whose header is in order. */
export interface CheckedRequest {
  readonly round: number;
  /** Unix seconds. */
  readonly creation: number;
  /** Log index of the freeze marker; undefined when the leader has no extensions. */
  readonly frozenIndex: number | undefined;
  /** The leader's digest; undefined when the leader has no extensions. */
  readonly digest: Uint8Array | undefined;
  /** Digest of the leader's state at `frozenIndex`; undefined when it does not say. */
  readonly stateDigest: Uint8Array | undefined;
  /** The leader's digest of the short listing; undefined when it names none. */
  readonly shortDigest: Uint8Array | undefined;
  /** Version of the trust root that decides the round; undefined when the leader does not say. */
  readonly rootVersion: number | undefined;
}

/** What a vote request's header gives. */
export type RequestCheck =
  { readonly ok: true; readonly request: CheckedRequest } | { readonly ok: false; readonly reason: NoReason };

const DIGEST_BYTES = 32;

/**
 * Checks what can be checked before any work is done for a request: version, slot, times, the voter's clock. A request
 * that passes names the present slot, so a lying leader cannot push a node's round counter ahead.
 *
 * @param nowSeconds the voter's clock, Unix seconds
 */
export function checkVoteRequest(
  request: DiscoveryRequestConsensusVote,
  config: Pick<
    ConsensusConfig,
    'protocolVersion' | 'genesisSeconds' | 'slotSeconds' | 'clockToleranceSeconds' | 'policy'
  >,
  nowSeconds: number,
): RequestCheck {
  if (request.version !== config.protocolVersion) return { ok: false, reason: 'unsupportedVersion' };
  const creation = Number(request.creation);
  const round = Number.isSafeInteger(creation) ? roundOfCreation(config, creation) : undefined;
  if (round === undefined) return { ok: false, reason: 'wrongTimes' };
  if (Number(request.expiration) !== slotExpiration(config, round)) return { ok: false, reason: 'wrongTimes' };
  if (Math.abs(nowSeconds - creation) > config.clockToleranceSeconds) return { ok: false, reason: 'clockSkew' };
  if (request.round === 0n) {
    // A leader without extensions cannot name the frozen list: only the documented protocol takes its word for it.
    if (config.policy !== 'documented') return { ok: false, reason: 'extensionsMissing' };
    return {
      ok: true,
      request: {
        ...{ round, creation },
        ...{
          frozenIndex: undefined,
          digest: undefined,
          shortDigest: undefined,
          stateDigest: undefined,
          rootVersion: undefined,
        },
      },
    };
  }
  if (request.round !== BigInt(round)) return { ok: false, reason: 'wrongRound' };
  const frozenIndex = Number(request.frozenIndex);
  if (!Number.isSafeInteger(frozenIndex) || frozenIndex < 1 || request.listDigest.length !== DIGEST_BYTES) {
    return { ok: false, reason: 'extensionsMissing' };
  }
  const shortDigest = request.shortDigest.length === DIGEST_BYTES ? request.shortDigest : undefined;
  const stateDigest = request.stateDigest.length === DIGEST_BYTES ? request.stateDigest : undefined;
  const rootVersion = request.rootVersion === 0n ? undefined : Number(request.rootVersion);
  return {
    ok: true,
    request: { round, creation, frozenIndex, digest: request.listDigest, shortDigest, stateDigest, rootVersion },
  };
}
