import type { DiscoverySignature } from '@discovery-raft/protocol';
import type { ShortListing } from '@discovery-raft/psp-envelope';
import type { Committee } from '../policy/committee.js';
import { sameBytes } from '../policy/bytes.js';
import type { Context } from './context.js';

/** The good signatures of a set. */
export interface CheckedSignatures {
  /** Over the bytes, one per member, in the order given. */
  readonly good: readonly DiscoverySignature[];
  /** How many were not: forged, of a stranger, or a second one of a member. */
  readonly refused: number;
}

/** Contents above this are verified one after the other: a verifier takes a copy of each to another thread. */
const MAX_BYTES_AT_ONCE = 1_048_576;

/**
 * Checks every signature of a set against the same bytes. A bad one among them takes nothing from the good ones.
 *
 * @param committee whose signatures count
 * @param signatures at most as many as there are members are looked at
 * @param atSeconds the creation time of the listing, Unix seconds
 * @param own this node's own signature over the same bytes, which need not be verified
 */
export async function checkSignatures(
  context: Context,
  committee: Committee,
  signatures: readonly DiscoverySignature[],
  listing: Uint8Array,
  atSeconds: number,
  own?: DiscoverySignature,
): Promise<CheckedSignatures> {
  const looked = signatures.slice(0, committee.members.size);
  const verify = async (signature: DiscoverySignature): Promise<string | undefined> =>
    own !== undefined && isSame(signature, own)
      ? context.self
      : signerOf(context, committee, signature, listing, atSeconds);
  const verdicts: (string | undefined)[] = [];
  if (listing.length > MAX_BYTES_AT_ONCE) for (const signature of looked) verdicts.push(await verify(signature));
  else verdicts.push(...(await Promise.all(looked.map(verify))));
  const signers = new Set<string>();
  const good: DiscoverySignature[] = [];
  verdicts.forEach((signer, i) => {
    if (signer === undefined || signers.has(signer)) return;
    signers.add(signer);
    good.push(looked[i]!);
  });
  return { good, refused: signatures.length - good.length };
}

function isSame(a: DiscoverySignature, b: DiscoverySignature): boolean {
  return sameBytes(a.signature, b.signature) && sameBytes(a.certificate, b.certificate);
}

/**
 * The good signatures over a short listing when they are a quorum, else none: there is nothing in between. What is bad is
 * counted here, as it takes nothing from the full listing.
 */
export async function checkShortSignatures(
  context: Context,
  committee: Committee,
  signatures: readonly DiscoverySignature[],
  short: ShortListing | undefined,
  atSeconds: number,
  own?: DiscoverySignature,
): Promise<readonly DiscoverySignature[]> {
  if (short === undefined || signatures.length === 0) return [];
  const { good, refused } = await checkSignatures(context, committee, signatures, short.bytes, atSeconds, own);
  context.tally.refusals.badSignature += refused;
  return good.length < committee.quorum ? [] : good;
}

/** The member that signed these bytes, or undefined. A verifier that throws, against its contract, refuses. */
export async function signerOf(
  context: Context,
  { members }: Committee,
  signature: DiscoverySignature,
  content: Uint8Array,
  atSeconds: number,
): Promise<string | undefined> {
  try {
    const verdict = await context.ports.verifier.verifySignature(signature, content, atSeconds);
    return verdict.ok && members.has(verdict.identity) ? verdict.identity : undefined;
  } catch {
    return undefined;
  }
}
