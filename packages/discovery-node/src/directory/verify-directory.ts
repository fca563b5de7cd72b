import { fromBinary } from '@bufbuild/protobuf';
import { consensusQuorum, POLICIES, type PolicyName } from '@discovery-raft/discovery-consensus-fsm';
import {
  DiscoveryItemSchema,
  DiscoveryListingSchema,
  type DiscoveryDirectory,
  type DiscoveryItem,
} from '@discovery-raft/protocol';
import { CertificateVerifier, openDetachedSignatureAsync, type TrustRoot } from '@discovery-raft/psp-pki';

/** A directory that is to be believed. Times are Unix seconds. */
export interface VerifiedDirectory {
  readonly ok: true;
  readonly creation: number;
  readonly expiration: number;
  readonly items: readonly DiscoveryItem[];
  /** The items as their publishers encoded them, in the same order. */
  readonly itemBytes: readonly Uint8Array[];
  /** Identities of the discovery nodes whose signatures hold, each once. */
  readonly signers: readonly string[];
}

/** Why a directory is not to be believed. */
export interface RefusedDirectory {
  readonly ok: false;
  readonly code: 'malformed' | 'notYetValid' | 'expired' | 'unsorted' | 'quorumMissing';
  readonly detail: string;
}

/** What {@link verifyDirectory} takes. */
export interface VerifyDirectoryOptions {
  readonly root: TrustRoot;
  /** Unix seconds. */
  readonly atSeconds: number;
  /** Whose quorum is asked for; default `safe`. */
  readonly policy?: PolicyName;
  /** How far the nodes' clocks may be ahead. Default 30. */
  readonly clockToleranceSeconds?: number;
}

/**
 * Judges a directory from its bytes and the client's own trust root: enough distinct discovery nodes signed exactly these
 * listing bytes, it holds at this moment, and its items are sorted, one per identity. What a server says of it counts for
 * nothing.
 */
export async function verifyDirectory(
  directory: DiscoveryDirectory,
  options: VerifyDirectoryOptions,
): Promise<VerifiedDirectory | RefusedDirectory> {
  const listing = readListing(directory.directory);
  if (listing === undefined) return refuse('malformed', 'the bytes are no listing of items');
  const { creation, expiration, items, itemBytes } = listing;
  const tolerance = options.clockToleranceSeconds ?? 30;
  if (creation > options.atSeconds + tolerance) return refuse('notYetValid', `it begins at ${creation}`);
  if (expiration <= options.atSeconds) return refuse('expired', `it ended at ${expiration}`);
  for (let i = 1; i < items.length; i++) {
    if (items[i - 1]!.identity >= items[i]!.identity) return refuse('unsorted', `at item ${i}`);
  }
  const signers = await signersOf(directory, options);
  const needed = consensusQuorum(POLICIES[options.policy ?? 'safe'], options.root.discoveryNodes.size);
  if (signers.length < needed) return refuse('quorumMissing', `${signers.length} of ${needed} signatures`);
  return { ok: true, creation, expiration, items, itemBytes, signers };
}

async function signersOf(directory: DiscoveryDirectory, options: VerifyDirectoryOptions): Promise<string[]> {
  const certificates = new CertificateVerifier({ root: options.root });
  const signers = new Set<string>();
  for (const signature of directory.signatures.slice(0, options.root.discoveryNodes.size * 2)) {
    const opened = await openDetachedSignatureAsync(
      signature,
      directory.directory,
      certificates,
      Math.floor(options.atSeconds),
    );
    if (opened.ok && options.root.discoveryNodes.has(opened.certificate.identity.text)) {
      signers.add(opened.certificate.identity.text);
    }
  }
  return [...signers];
}

function readListing(bytes: Uint8Array): Omit<VerifiedDirectory, 'ok' | 'signers'> | undefined {
  try {
    const listing = fromBinary(DiscoveryListingSchema, bytes);
    return {
      creation: Number(listing.creation),
      expiration: Number(listing.expiration),
      items: listing.items.map((item) => fromBinary(DiscoveryItemSchema, item)),
      itemBytes: listing.items,
    };
  } catch {
    // Whatever protobuf says of the bytes, to the caller they are malformed.
    return undefined;
  }
}

function refuse(code: RefusedDirectory['code'], detail: string): RefusedDirectory {
  return { ok: false, code, detail };
}
