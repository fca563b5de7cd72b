import { hash } from 'node:crypto';
import { fromBinary } from '@bufbuild/protobuf';
import {
  DiscoveryListingSchema,
  type DiscoveryDirectory,
  type DiscoveryItem,
  type DiscoveryListing,
} from '@discovery-raft/protocol';
import {
  beginsAsListing,
  directoryQuorum,
  itemShapeFault,
  MAX_ITEM_BYTES,
  readDiscoveryItem,
  type QuorumRule,
  listingClaims,
  TrustRootChain,
} from '@discovery-raft/psp-envelope';
import { CertificateVerifier, openDetachedSignatureAsync, trustRootOf, type TrustRoot } from '@discovery-raft/psp-pki';
import { freshnessOf, type Freshness } from './freshness.js';

/** A directory that is to be believed. Times are Unix seconds. */
export interface VerifiedDirectory extends Freshness {
  readonly ok: true;
  readonly creation: number;
  readonly expiration: number;
  /** Items that a client can use. Each has an expiration of its own, which may come before the directory's. */
  readonly items: readonly DiscoveryItem[];
  /** The items as their publishers encoded them, in the same order. */
  readonly itemBytes: readonly Uint8Array[];
  /** Identities of the discovery nodes whose signatures hold, each once. */
  readonly signers: readonly string[];
  /** False for a short listing: the network has more items than this directory. */
  readonly complete: boolean;
  /** How many items the full listing has. */
  readonly fullItems: number;
  /** SHA-256 of the bytes of the full listing: of this one, or of the one that a short listing was chosen from. */
  readonly fullDigest: Uint8Array;
  /** Items that were signed but are of no use here, and were left out: a later version, or against the rules. */
  readonly unusableItems: number;
}

/** Why a directory is not to be believed. */
export type RefusalCode =
  | 'malformed'
  | 'tooLarge'
  | 'unsupportedVersion'
  | 'notYetValid'
  | 'expired'
  | 'wrongTimes'
  | 'unsorted'
  | 'quorumMissing'
  /** Of a trust root that another has taken the place of, too long ago. */
  | 'rootSuperseded'
  /** Older than a directory that this client has seen. Only a client with a memory says so. */
  | 'rolledBack'
  /** Another one than a directory that this client has seen, of the same round. */
  | 'conflicting';

/** A directory that is not to be believed. */
export interface RefusedDirectory {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly detail: string;
}

/** What {@link verifyDirectory} takes. */
export interface VerifyDirectoryOptions {
  /** Whom to believe; of a chain, the root that was in force when the directory was created. */
  readonly root: TrustRoot | TrustRootChain;
  /**
   * How long, after another root has come into force, directories of the one before are still believed, seconds. It bounds
   * what the keys of nodes that were removed are good for. Default 3,600.
   */
  readonly supersededSeconds?: number;
  /** Unix seconds. */
  readonly atSeconds: number;
  /** Whose quorum is asked for; default `safe`. */
  readonly policy?: QuorumRule;
  /** Signatures that suffice, 1 or more, instead of the policy's quorum of the root's discovery nodes. */
  readonly requiredSignatures?: number;
  /** How far the nodes' clocks may be ahead of this one. Default 30. */
  readonly clockToleranceSeconds?: number;
  /** Most bytes of a listing. Default 64 MiB. */
  readonly maxDirectoryBytes?: number;
}

/** Most bytes of a directory that this package takes unless told otherwise. */
export const DEFAULT_MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;

/**
 * Judges a directory from its bytes and the client's own trust root: enough distinct discovery nodes signed exactly these
 * listing bytes, it holds at this moment, and its items are sorted, one per identity. What a server says of it counts for
 * nothing. Never rejects because of what the bytes say.
 *
 * The signatures come first: bytes that no quorum signed are not even parsed.
 */
export async function verifyDirectory(
  directory: DiscoveryDirectory,
  options: VerifyDirectoryOptions,
): Promise<VerifiedDirectory | RefusedDirectory> {
  const bytes = directory.directory;
  const most = options.maxDirectoryBytes ?? DEFAULT_MAX_DIRECTORY_BYTES;
  if (bytes.length > most) return refuse('tooLarge', `${bytes.length} bytes, at most ${most}`);
  const inForce = rootInForce(bytes, options);
  if ('ok' in inForce) return inForce;
  const { root, version } = inForce;
  const signers = await signersOf(directory, root, options.atSeconds);
  const needed = signaturesNeeded({ ...options, root });
  if (signers.length < needed) {
    const hint = version === undefined ? '' : ` of nodes of trust root ${version}`;
    return refuse('quorumMissing', `${signers.length} of ${needed} signatures${hint}`);
  }
  // Nodes sign packets of publishers too, and a publisher might have made one that can be read as a listing.
  const listing = beginsAsListing(bytes) ? readListing(bytes) : undefined;
  if (listing === undefined) return refuse('malformed', 'the bytes are no listing');
  const refused = headerRefusal(listing, options, root);
  if (refused !== undefined) return refused;
  const read = readItems(listing.items, root.profile.discoveryVersion);
  if (typeof read === 'string') return refuse(read === 'malformed' ? 'malformed' : 'unsorted', read);
  const dates = { creation: Number(listing.creation), expiration: Number(listing.expiration) };
  const complete = listing.fullDigest.length === 0;
  return {
    ok: true,
    ...dates,
    ...freshnessOf(dates, options.atSeconds),
    ...read,
    unusableItems: listing.items.length - read.items.length,
    signers,
    complete,
    fullItems: complete ? listing.items.length : Number(listing.fullItems),
    fullDigest: complete ? hash('sha256', bytes, 'buffer') : listing.fullDigest,
  };
}

/** How many signatures a directory needs by these options. */
export function signaturesNeeded({
  root,
  policy,
  requiredSignatures,
}: Pick<VerifyDirectoryOptions, 'policy' | 'requiredSignatures'> & { readonly root: TrustRoot }): number {
  return Math.max(1, requiredSignatures ?? directoryQuorum(root.discoveryNodes.size, policy));
}

/** The root that judges these bytes. Their creation is a claim: what it can gain is bounded by `supersededSeconds`. */
function rootInForce(
  bytes: Uint8Array,
  { root, atSeconds, supersededSeconds = 3600 }: VerifyDirectoryOptions,
): { readonly root: TrustRoot; readonly version: number | undefined } | RefusedDirectory {
  if (!(root instanceof TrustRootChain)) return { root, version: undefined };
  const { creation = atSeconds, rootVersion } = listingClaims(bytes);
  const { document } = root.at(creation);
  const { version } = document;
  if (rootVersion > root.newest.document.version) {
    const detail = `it is of trust root ${rootVersion}, and ${root.newest.document.version} is the newest known here`;
    return refuse('quorumMissing', detail);
  }
  // Nodes that stay sign by the newer root: their signatures must not add up to a quorum of the older one.
  if (rootVersion !== version) {
    return refuse('rootSuperseded', `it is of trust root ${rootVersion}, and of a time of ${version}`);
  }
  const next = root.version(version + 1)?.document;
  if (next !== undefined && atSeconds > next.activation + supersededSeconds) {
    return refuse('rootSuperseded', `trust root ${version} ended at ${next.activation}`);
  }
  return { root: trustRootOf(document), version };
}

async function signersOf(directory: DiscoveryDirectory, root: TrustRoot, at: number): Promise<string[]> {
  const certificates = new CertificateVerifier({ root });
  const atSeconds = Math.floor(at);
  // Twice the nodes: a server may add stale signatures, and cannot make a client verify without end.
  const looked = directory.signatures.slice(0, root.discoveryNodes.size * 2);
  const opened = await Promise.all(
    looked.map((signature) => openDetachedSignatureAsync(signature, directory.directory, certificates, atSeconds)),
  );
  const signers = new Set<string>();
  for (const verdict of opened) {
    if (verdict.ok && root.discoveryNodes.has(verdict.certificate.identity.text)) {
      signers.add(verdict.certificate.identity.text);
    }
  }
  return [...signers];
}

function readListing(bytes: Uint8Array): DiscoveryListing | undefined {
  try {
    return fromBinary(DiscoveryListingSchema, bytes, { readUnknownFields: false });
  } catch {
    // Whatever protobuf says of the bytes, to the caller they are malformed.
    return undefined;
  }
}

function headerRefusal(
  listing: DiscoveryListing,
  options: VerifyDirectoryOptions,
  root: TrustRoot,
): RefusedDirectory | undefined {
  const { atSeconds, clockToleranceSeconds = 30 } = options;
  const { creation, expiration, fullDigest, fullItems } = listing;
  if (listing.version !== root.profile.discoveryVersion)
    return refuse('unsupportedVersion', listing.version.slice(0, 64));
  if (creation > BigInt(Math.floor(atSeconds + clockToleranceSeconds))) {
    return refuse('notYetValid', `it begins at ${dateOf(creation)}`);
  }
  if (expiration <= BigInt(Math.floor(atSeconds))) return refuse('expired', `it ended at ${dateOf(expiration)}`);
  // A directory that never ends could be served for ever; protobuf's numbers also go beyond what a number can hold.
  if (expiration <= creation || expiration > BigInt(Number.MAX_SAFE_INTEGER)) {
    return refuse('wrongTimes', `from ${creation} to ${expiration}`);
  }
  const isShort = fullDigest.length > 0 || fullItems > 0n;
  if (isShort && (fullDigest.length !== 32 || fullItems < BigInt(listing.items.length))) {
    return refuse('malformed', 'what it says of the full listing');
  }
  return undefined;
}

interface ReadItems {
  readonly items: readonly DiscoveryItem[];
  readonly itemBytes: readonly Uint8Array[];
}

/** The items that are of use; or `malformed`, or where the order is broken. */
function readItems(encoded: readonly Uint8Array[], version: string): ReadItems | string {
  const items: DiscoveryItem[] = [];
  const itemBytes: Uint8Array[] = [];
  let previous: string | undefined;
  for (let i = 0; i < encoded.length; i++) {
    const bytes = encoded[i]!;
    const item = readDiscoveryItem(bytes);
    if (item === undefined) return 'malformed';
    if (previous !== undefined && previous >= item.identity) return `at item ${i}`;
    previous = item.identity;
    if (item.version !== version || bytes.length > MAX_ITEM_BYTES || itemShapeFault(item) !== undefined) continue;
    items.push(item);
    itemBytes.push(bytes);
  }
  return { items, itemBytes };
}

/** For people; times beyond the calendar stay numbers. */
function dateOf(unixSeconds: bigint): string {
  const date = new Date(Number(unixSeconds) * 1000);
  return Number.isNaN(date.getTime()) ? String(unixSeconds) : date.toISOString();
}

function refuse(code: RefusalCode, detail: string): RefusedDirectory {
  return { ok: false, code, detail };
}
