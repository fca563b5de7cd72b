import { hash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { SignedTrustRootSchema, type DiscoverySignature, type SignedTrustRoot } from '@discovery-raft/protocol';
import {
  encodeTrustRoot,
  firstTrustRoot,
  nextTrustRoot,
  TrustRootChain,
  type RootChange,
  type RootCrypto,
  type RootNode,
  type TrustRootDocument,
} from '../src/index.js';

export const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(hash('sha256', bytes, 'buffer'));

/** A moment until which the certificates of nodes hold that `expiring` names. */
export const EXPIRY = 50_000;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Signatures that anybody could forge, but nobody in a test does by accident: a name, and a digest of name and content. */
export const crypto: RootCrypto = {
  sha256,
  signersOf: (document: TrustRootDocument) => {
    if (document.nodes.some(({ identity }) => identity.startsWith('bad'))) throw new Error('no identity');
    const names = new Set(document.nodes.map(({ identity }) => identity));
    return {
      async signerOf({ certificate, signature }, content, atSeconds) {
        const [name = '', expiring] = text(certificate).split(' ');
        if (!names.has(name) || (expiring !== undefined && atSeconds > EXPIRY)) return undefined;
        return text(signature) === text(fakeSignature(name, content)) ? name : undefined;
      },
    };
  },
};

function fakeSignature(name: string, content: Uint8Array): Uint8Array {
  return Buffer.from(hash('sha256', Buffer.concat([Buffer.from(name), content])));
}

export function signatureOf(name: string, content: Uint8Array, certificate = name): DiscoverySignature {
  return {
    certificate: Buffer.from(certificate),
    signature: fakeSignature(name, content),
  } as unknown as DiscoverySignature;
}

export function node(identity: string): RootNode {
  const fingerprint = hash('sha256', identity).toUpperCase();
  return { identity, endpoint: { fingerprint, host: `${identity}.example`, port: 9100 } };
}

export const nodes = (...names: string[]): RootNode[] => names.map(node);

/** A chain of the first root alone. */
export function beginning(...names: string[]): TrustRootChain {
  return TrustRootChain.from(
    firstTrustRoot({ profile: { name: 'xpx' }, threshold: 1, authorities: ['anna'], discoveryNodes: names }),
    sha256,
  );
}

/** The successor of a chain's newest root. */
export function next(chain: TrustRootChain, change: RootChange): TrustRootDocument {
  return nextTrustRoot(chain.newest.document, chain.newest.digest, change);
}

export function signed(document: TrustRootDocument, signers: readonly string[]): SignedTrustRoot {
  const root = encodeTrustRoot(document);
  return create(SignedTrustRootSchema, { root, signatures: signers.map((name) => signatureOf(name, root)) });
}

/** A chain with one more root, which has to be good. */
export async function grown(
  chain: TrustRootChain,
  change: RootChange,
  signers: readonly string[],
): Promise<TrustRootChain> {
  const step = await chain.extend([signed(next(chain, change), signers)], crypto);
  expect(step.refused).toBeNull();
  return step.chain;
}
