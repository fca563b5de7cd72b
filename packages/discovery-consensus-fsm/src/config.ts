import { SHORT_LISTING_BYTES } from '@discovery-raft/psp-envelope';
import { ConsensusError } from './errors.js';
import type { PolicyName } from './policy/thresholds.js';

/** A discovery node of the network. */
export interface Member {
  /** Its identity; also its Raft server id. */
  readonly identity: string;
  /** Fingerprint of its RSA identity, upper-case hex; only needed for `isLeaderFingerprint`. */
  readonly fingerprint?: string;
}

/** Settings of a node. Times are seconds, and fractions are allowed but for the slot. */
export interface ConsensusConfig {
  /** All known discovery nodes, this one among them; 1 to 31. Must be the same on every node. */
  readonly members: readonly Member[];
  /** Version of the discovery protocol in every message. Default `xpx-discovery-1.0`. */
  readonly protocolVersion: string;
  /** Default `safe`. Must be the same on every node. */
  readonly policy: PolicyName;
  /** Overrides the policy's share of known nodes whose attestation makes an entry valid. Same on every node. */
  readonly entryShare?: number;
  /** No cluster: this node decides alone and its directory carries one signature. Default false. */
  readonly standalone: boolean;
  /** Unix seconds at which slot 0 begins. Default 0. Must be the same on every node. */
  readonly genesisSeconds: number;
  /** Length of a slot, whole seconds from 1. Default 900. Must be the same on every node. */
  readonly slotSeconds: number;
  /** How far a voter's clock may be from a round's creation time. Default 30. */
  readonly clockToleranceSeconds: number;
  /** How long the leader waits for votes. Default: a quarter of a slot, at most 60. A follower waits twice as long. */
  readonly voteSeconds: number;
  /** How long the leader still takes votes once the quorum is there. Default: a fiftieth of a slot, at most 2. */
  readonly stragglerSeconds: number;
  /**
   * How long the leader waits with its request to a peer without extensions, which signs the list as it is there: by then it
   * should have applied what was frozen. Default: a quarter of `stragglerSeconds`.
   */
  readonly settleSeconds: number;
  /** An own attested entry that is younger than this at creation may be missing. Default: one slot. */
  readonly ownEntryGraceSeconds: number;
  /** How often an accepted packet that is not in the list yet is sent again. Default 2. */
  readonly resendSeconds: number;
  /** How often a leader looks for packets that lack attestations, beside once a round. Default: a fifth of a slot. */
  readonly enhanceSeconds: number;
  /** How long a publish that asks for an answer waits until the packet is in the shared list. Default 10. */
  readonly confirmSeconds: number;
  /** Longest lifetime of an item. Default 86,400. */
  readonly maxLifetimeSeconds: number;
  /** Default 1,024. */
  readonly maxItemBytes: number;
  /** Default 4,096. */
  readonly maxPacketBytes: number;
  /** Sub-namespaces of identities that may publish an item of this mode. */
  readonly modes: Readonly<Record<string, readonly string[]>>;
  /** Publishes a second from one source, and the burst. Default 50 and 500. 0 means no limit. */
  readonly sourcePublishesPerSecond: number;
  readonly sourcePublishBurst: number;
  /** Publishes a second from one address prefix, and the burst. Default 500 and 5,000. 0 means no limit. */
  readonly prefixPublishesPerSecond: number;
  readonly prefixPublishBurst: number;
  /** Sources and prefixes whose rate is remembered. Default 10,000. */
  readonly maxRateBuckets: number;
  /** Publishes that wait for their verification; more are refused. Default 8,192. */
  readonly maxPendingPublishes: number;
  /** Unexpired items that this node has attested; more are refused. Default 200,000. */
  readonly maxItems: number;
  /** Verifications under way at once; fewer make smaller batches for the threads. Default 256. */
  readonly maxConcurrentVerifications: number;
  /**
   * Records that are worked on at one go before everything else gets a turn (`yieldNow`), from 1. Default 2,048: a few
   * milliseconds.
   */
  readonly recordsPerSlice: number;
  /** Accepted packets not yet in the shared list. Default 50,000 and 128 MiB; more publishes are refused. */
  readonly maxForwardItems: number;
  readonly maxForwardBytes: number;
  /** Forwards under way at once. Default 64. */
  readonly maxConcurrentForwards: number;
  /** Packets, and their bytes, in one request for attestations. Default 256 and 512 KiB. */
  readonly maxAttestationPackets: number;
  readonly maxAttestationBytes: number;
  /** Bytes of a directory that is taken from a peer. Default 64 MiB. */
  readonly maxDirectoryBytes: number;
  /**
   * Most bytes of a listing for deployed clients; when the full one is longer, members sign a short one beside it. Must be
   * the same on every node. Default 1,966,080.
   */
  readonly shortListingBytes: number;
  /** Serve the own verified list with the own signature while there is no directory. Default true. */
  readonly serveInterim: boolean;
}

/** What a caller gives: the members, and whatever differs from the defaults. */
export type ConsensusConfigInput = Pick<ConsensusConfig, 'members'> & Partial<ConsensusConfig>;

/** Modes of the deployed network: the mode is the identity's sub-namespace. */
export const DEFAULT_MODES: Readonly<Record<string, readonly string[]>> = Object.freeze({
  onion: ['onion'],
  discovery: ['discovery'],
  auth: ['auth', 'authority'],
  oracle: ['oracle'],
});

/** Most members that a configuration may name. */
export const MAX_MEMBERS = 31;

const AT_LEAST_ONE = [
  'maxConcurrentVerifications',
  'maxConcurrentForwards',
  'maxAttestationPackets',
  'recordsPerSlice',
] as const;

/**
 * Fills in the defaults and checks the ranges.
 *
 * @param self this node's identity
 * @throws ConsensusError CONSENSUS_INVALID_OPTION
 */
export function resolveConfig(input: ConsensusConfigInput, self: string): ConsensusConfig {
  const slotSeconds = input.slotSeconds ?? 900;
  const stragglerSeconds = input.stragglerSeconds ?? Math.min(2, slotSeconds / 50);
  const config: ConsensusConfig = {
    protocolVersion: 'xpx-discovery-1.0',
    policy: 'safe',
    standalone: false,
    genesisSeconds: 0,
    slotSeconds,
    clockToleranceSeconds: 30,
    voteSeconds: Math.min(60, slotSeconds / 4),
    stragglerSeconds,
    settleSeconds: stragglerSeconds / 4,
    ownEntryGraceSeconds: slotSeconds,
    resendSeconds: 2,
    enhanceSeconds: slotSeconds / 5,
    confirmSeconds: 10,
    maxLifetimeSeconds: 86_400,
    maxItemBytes: 1024,
    maxPacketBytes: 4096,
    modes: DEFAULT_MODES,
    sourcePublishesPerSecond: 50,
    sourcePublishBurst: 500,
    prefixPublishesPerSecond: 500,
    prefixPublishBurst: 5000,
    maxRateBuckets: 10_000,
    maxPendingPublishes: 8192,
    maxItems: 200_000,
    maxConcurrentVerifications: 256,
    recordsPerSlice: 2048,
    maxForwardItems: 50_000,
    maxForwardBytes: 128 * 1024 * 1024,
    maxConcurrentForwards: 64,
    maxAttestationPackets: 256,
    maxAttestationBytes: 512 * 1024,
    maxDirectoryBytes: 64 * 1024 * 1024,
    shortListingBytes: SHORT_LISTING_BYTES,
    serveInterim: true,
    ...input,
  };
  checkMembers(config, self);
  checkRanges(config);
  return Object.freeze(config);
}

function checkMembers(config: ConsensusConfig, self: string): void {
  const identities = new Set(config.members.map((member) => member.identity));
  if (identities.size !== config.members.length) invalid('members', 'an identity occurs twice');
  if (identities.size === 0 || identities.size > MAX_MEMBERS) invalid('members', `1 to ${MAX_MEMBERS} are needed`);
  if (!identities.has(self)) invalid('members', 'this node is not among them');
}

function checkRanges(config: ConsensusConfig): void {
  for (const [name, value] of Object.entries(config)) {
    if (typeof value === 'number' && !(Number.isFinite(value) && value >= 0)) invalid(name, 'must be 0 or more');
  }
  if (!Number.isSafeInteger(config.slotSeconds) || config.slotSeconds < 1) invalid('slotSeconds', 'whole, from 1');
  if (!Number.isSafeInteger(config.genesisSeconds)) invalid('genesisSeconds', 'must be whole');
  if (config.policy !== 'safe' && config.policy !== 'documented') invalid('policy', 'safe or documented');
  const share = config.entryShare;
  if (share !== undefined && !(share > 0 && share <= 1)) invalid('entryShare', 'above 0, at most 1');
  if (!(config.voteSeconds > 0 && config.voteSeconds * 2 <= config.slotSeconds)) {
    invalid('voteSeconds', 'above 0, at most half a slot');
  }
  if (config.settleSeconds > config.stragglerSeconds) invalid('settleSeconds', 'at most stragglerSeconds');
  for (const name of AT_LEAST_ONE) {
    if (config[name] < 1) invalid(name, 'must be 1 or more');
  }
  if (config.resendSeconds <= 0) invalid('resendSeconds', 'must be above 0');
}

function invalid(option: string, detail: string): never {
  throw new ConsensusError('CONSENSUS_INVALID_OPTION', `option ${option}: ${detail}`, { option });
}
