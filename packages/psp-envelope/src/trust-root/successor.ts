import type { DiscoverySignature, SignedTrustRoot } from '@discovery-raft/protocol';
import { directoryQuorum } from '../directory/quorum.js';
import { EnvelopeError } from '../errors.js';
import { sameBytes } from '../same-bytes.js';
import type { ChainedRoot, RootCrypto, RootSigners } from './trust-root-chain.js';
import { decodeTrustRoot, MAX_TRUST_ROOT_NODES, type TrustRootDocument } from './trust-root-document.js';

/** Signatures of one root that are looked at: every old node's, every new node's. */
const MAX_ROOT_SIGNATURES = 2 * MAX_TRUST_ROOT_NODES;
/** Longest certificate of a signature. A node's own has some hundred bytes. */
const MAX_CERTIFICATE_BYTES = 4_096;

/** Why a trust root is not to be believed. */
export const ROOT_REFUSAL_CODES = [
  /** No trust root, or one that says more than this version understands. */
  'malformed',
  'tooLarge',
  /** Another root of this version is believed here: more of its signers lie than a network can bear. */
  'forked',
  /** A version between is missing. */
  'versionMissing',
  /** It does not follow from the root before it. */
  'wrongPrevious',
  /** It would be in force earlier than the root before it. */
  'wrongActivation',
  'wrongProfile',
  /** It names something that is no identity of its profile. */
  'unusable',
  /** Too few nodes of the root before it have signed it. */
  'quorumMissing',
  /** A node that is new in it has not signed it. */
  'newNodeUnsigned',
  /** The chain is full. */
  'tooMany',
] as const;

/** One of {@link ROOT_REFUSAL_CODES}. */
export type RootRefusalCode = (typeof ROOT_REFUSAL_CODES)[number];

/** A root that is not to be believed. */
export interface RootRefusal {
  readonly ok: false;
  readonly code: RootRefusalCode;
  readonly detail: string;
}

/** A root that is to be believed; `known` when it is in the chain already. */
export type RootJudgement =
  | { readonly ok: true; readonly known: true }
  | {
      readonly ok: true;
      readonly known: false;
      readonly document: TrustRootDocument;
      readonly digest: Uint8Array;
      /** Those that count, each signer once. */
      readonly signatures: readonly DiscoverySignature[];
    };

/** Who has signed a root, of those who may. */
export interface RootTally {
  /** Nodes of the root before. */
  readonly old: readonly string[];
  /** How many of those are needed. */
  readonly quorum: number;
  /** Nodes that the root adds and that have signed it. */
  readonly added: readonly string[];
  /** Nodes that the root adds and that have not signed it. */
  readonly missing: readonly string[];
  /** The signatures that count, each signer once. */
  readonly signatures: readonly DiscoverySignature[];
}

/**
 * Whether a signed root is the successor of the newest of `roots`: the next version, with the digest of the one before,
 * not in force earlier, signed by a `safe` quorum of the nodes of the one before and by every node that is new. The
 * certificates are judged at its activation, so the verdict is the same at any later time. Never rejects.
 */
export async function judgeSuccessor(
  roots: readonly ChainedRoot[],
  signed: SignedTrustRoot,
  crypto: RootCrypto,
): Promise<RootJudgement | RootRefusal> {
  const read = readRoot(signed);
  if ('ok' in read) return read;
  const { document } = read;
  const digest = crypto.sha256(signed.root);
  const newest = roots.at(-1)!;
  const first = roots[0]!.document.version;
  // Before what the reader was built with: nothing to learn, and nothing to compare it with.
  if (document.version < first) return { ok: true, known: true };
  const held = roots[document.version - first];
  if (held !== undefined) {
    return sameBytes(held.digest, digest)
      ? { ok: true, known: true }
      : refuse('forked', `two roots of version ${document.version}`);
  }
  const refused = linkRefusal(newest, document);
  if (refused !== undefined) return refused;
  const tally = await tallyRoot(newest.document, document, signed, crypto);
  if ('ok' in tally) return tally;
  const { old, quorum, missing, signatures } = tally;
  if (old.length < quorum) return refuse('quorumMissing', `${old.length} of ${quorum} signatures`);
  if (missing.length > 0) return refuse('newNodeUnsigned', missing.join(', '));
  return { ok: true, known: false, document, digest, signatures };
}

/** Counts the signatures of a root, complete or not. Never rejects. */
export async function tallyRoot(
  before: TrustRootDocument,
  document: TrustRootDocument,
  { root, signatures }: SignedTrustRoot,
  crypto: RootCrypto,
): Promise<RootTally | RootRefusal> {
  let oldSigners: RootSigners;
  let newSigners: RootSigners;
  try {
    oldSigners = crypto.signersOf(before);
    newSigners = crypto.signersOf(document);
  } catch (error) {
    return refuse('unusable', error instanceof Error ? error.message.slice(0, 200) : '');
  }
  const known = new Set(before.nodes.map(({ identity }) => identity));
  const looked = signatures
    .slice(0, MAX_ROOT_SIGNATURES)
    .filter(({ certificate }) => certificate.length <= MAX_CERTIFICATE_BYTES);
  const signers = await Promise.all(
    looked.map(
      async (signature) =>
        (await oldSigners.signerOf(signature, root, document.activation)) ??
        (await newSigners.signerOf(signature, root, document.activation)),
    ),
  );
  const counted = new Map<string, DiscoverySignature>();
  signers.forEach((signer, i) => {
    if (signer !== undefined && !counted.has(signer)) counted.set(signer, looked[i]!);
  });
  const added = document.nodes.map(({ identity }) => identity).filter((identity) => !known.has(identity));
  return {
    old: [...counted.keys()].filter((identity) => known.has(identity)),
    quorum: directoryQuorum(known.size),
    added: added.filter((identity) => counted.has(identity)),
    missing: added.filter((identity) => !counted.has(identity)),
    signatures: [...counted.values()],
  };
}

/** Why a root cannot follow `newest`, whoever has signed it; undefined when it can. */
export function linkRefusal(newest: ChainedRoot, document: TrustRootDocument): RootRefusal | undefined {
  const before = newest.document;
  if (document.version !== before.version + 1) {
    return refuse('versionMissing', `version ${document.version} comes after ${before.version}`);
  }
  if (!sameBytes(document.previousDigest, newest.digest)) {
    return refuse('wrongPrevious', `it does not follow from the root of version ${before.version}`);
  }
  if (document.activation < before.activation) {
    return refuse('wrongActivation', `${document.activation} is before ${before.activation}`);
  }
  return document.profile === before.profile ? undefined : refuse('wrongProfile', document.profile);
}

function readRoot({ root }: SignedTrustRoot): { readonly document: TrustRootDocument } | RootRefusal {
  try {
    return { document: decodeTrustRoot(root) };
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error;
    return refuse(error.code === 'ENVELOPE_TOO_LARGE' ? 'tooLarge' : 'malformed', error.message.slice(0, 200));
  }
}

function refuse(code: RootRefusalCode, detail: string): RootRefusal {
  return { ok: false, code, detail };
}
