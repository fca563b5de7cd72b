import { create } from '@bufbuild/protobuf';
import { SignedTrustRootSchema, type DiscoverySignature, type SignedTrustRoot } from '@discovery-raft/protocol';
import type { Sha256 } from '../directory/short-listing.js';
import { encodeTrustRoot, type TrustRootDocument } from './trust-root-document.js';
import { judgeSuccessor, type RootRefusal } from './successor.js';

/** Most roots of a chain: one a week for almost twenty years. */
export const MAX_CHAINED_ROOTS = 1_024;
/** Most signed roots that are taken from one message. */
export const MAX_ROOTS_PER_MESSAGE = 64;

/** The discovery nodes of one root as judges of signatures. */
export interface RootSigners {
  /**
   * The node of this root whose signature over `content` this is, undefined when it is none's. Never rejects.
   *
   * @param atSeconds when its certificate has to be valid, Unix seconds
   */
  signerOf(signature: DiscoverySignature, content: Uint8Array, atSeconds: number): Promise<string | undefined>;
}

/** The cryptography that a chain needs. */
export interface RootCrypto {
  readonly sha256: Sha256;
  /** @throws anything for a root whose identities cannot be used; it is then refused as `unusable` */
  signersOf(document: TrustRootDocument): RootSigners;
}

/** A root that is believed. Immutable. */
export interface ChainedRoot {
  readonly document: TrustRootDocument;
  /** What was signed. */
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes`. */
  readonly digest: Uint8Array;
  /** Null for the first: it is believed because the reader was built with it. */
  readonly signed: SignedTrustRoot | null;
}

/** What offering roots to a chain gives. */
export interface ChainStep {
  /** The same chain when nothing was taken. */
  readonly chain: TrustRootChain;
  /** Roots that were new and good. */
  readonly taken: number;
  /** What stopped it: the first root that is not to be believed. Those before it were taken. */
  readonly refused: RootRefusal | null;
}

/**
 * The versions of a network's trust root, from the one that the reader was built with to the newest that it knows: each is
 * signed by a quorum of the nodes of the one before. Immutable: what extends it is another chain. It only ever grows, so
 * nobody can take a reader back to an older root.
 */
export class TrustRootChain {
  /** In order of their versions, without a gap; at least one. */
  readonly roots: readonly ChainedRoot[];

  private constructor(roots: readonly ChainedRoot[]) {
    this.roots = roots;
  }

  /** A chain that begins with a root that is believed without proof. @throws EnvelopeError as `encodeTrustRoot` */
  static from(document: TrustRootDocument, sha256: Sha256): TrustRootChain {
    const bytes = encodeTrustRoot(document);
    return new TrustRootChain([{ document, bytes, digest: sha256(bytes), signed: null }]);
  }

  get first(): ChainedRoot {
    return this.roots[0]!;
  }

  get newest(): ChainedRoot {
    return this.roots.at(-1)!;
  }

  /** The root in force at a moment: the newest that was active by then. For earlier moments, the first. */
  at(unixSeconds: number): ChainedRoot {
    return this.roots.findLast(({ document }) => document.activation <= unixSeconds) ?? this.first;
  }

  /** The root of a version; undefined when it is not here. */
  version(version: number): ChainedRoot | undefined {
    return this.roots[version - this.first.document.version];
  }

  /** The signed roots behind a version, at most `most`. Empty also for a version before the first one of this chain. */
  after(version: number, most = MAX_ROOTS_PER_MESSAGE): readonly SignedTrustRoot[] {
    if (version < this.first.document.version) return [];
    const from = version + 1 - this.first.document.version;
    return this.roots.slice(from, from + most).flatMap(({ signed }) => signed ?? []);
  }

  /**
   * Takes roots that follow the newest, in order, each verified against the one before. Those that are here already are
   * passed over; the first that is not to be believed ends it. Never rejects because of what the bytes say.
   */
  async extend(offered: readonly SignedTrustRoot[], crypto: RootCrypto): Promise<ChainStep> {
    const roots = [...this.roots];
    let refused: RootRefusal | null = null;
    for (const signed of offered.slice(0, MAX_ROOTS_PER_MESSAGE)) {
      const judged = await judgeSuccessor(roots, signed, crypto);
      if (judged.ok && judged.known) continue;
      if (!judged.ok) refused = judged;
      else if (roots.length >= MAX_CHAINED_ROOTS) {
        refused = { ok: false, code: 'tooMany', detail: `${MAX_CHAINED_ROOTS} roots` };
      } else {
        const { document, digest, signatures } = judged;
        const bytes = signed.root.slice();
        // Only what was judged: whatever else came along is not kept.
        const kept = create(SignedTrustRootSchema, { root: bytes, signatures: [...signatures] });
        roots.push({ document, bytes, digest, signed: kept });
        continue;
      }
      break;
    }
    const taken = roots.length - this.roots.length;
    return { chain: taken === 0 ? this : new TrustRootChain(roots), taken, refused };
  }
}
