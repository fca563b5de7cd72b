import { create } from '@bufbuild/protobuf';
import { DiscoveryListingSchema, PullTrustRootsSchema, SignedTrustRootSchema } from '@discovery-raft/protocol';
import { toBinary } from '@bufbuild/protobuf';
import {
  answerRootPull,
  decodeTrustRoot,
  decodeTrustRoots,
  encodeTrustRoot,
  encodeTrustRoots,
  firstTrustRoot,
  listingClaims,
  MAX_ROOTS_PER_MESSAGE,
  MAX_TRUST_ROOT_BYTES,
  tallyRoot,
  TrustRootChain,
  type TrustRootDocument,
} from '../src/index.js';
import { codeOf } from './messages.js';
import { beginning, crypto, EXPIRY, grown, next, node, nodes, sha256, signatureOf, signed } from './roots.js';

const ABC = ['a', 'b', 'c'];

describe('the encoding of a trust root', () => {
  test('comes back as it was, and does not hang on the order in which nodes were named', () => {
    const document = next(beginning(...ABC), { activation: 900, nodes: nodes('d', 'b', 'a') });
    expect(decodeTrustRoot(encodeTrustRoot(document))).toEqual(document);
    expect(document.nodes.map(({ identity }) => identity)).toEqual(['a', 'b', 'd']);
  });

  test('of the first root is the same whoever wrote the file, since it has identities alone', () => {
    const facts = { profile: { name: 'xpx' }, threshold: 1, authorities: ['x', 'y'], discoveryNodes: ABC };
    const turned = { ...facts, authorities: ['y', 'x'], discoveryNodes: ['c', 'a', 'b'] };
    expect(encodeTrustRoot(firstTrustRoot(turned))).toEqual(encodeTrustRoot(firstTrustRoot(facts)));
  });

  test.each<[string, (root: TrustRootDocument) => TrustRootDocument]>([
    ['no node', (root) => ({ ...root, nodes: [] })],
    ['32 nodes', (root) => ({ ...root, nodes: Array.from({ length: 32 }, (_, i) => node(`n${i}`)) })],
    ['one node twice', (root) => ({ ...root, nodes: nodes('a', 'a') })],
    ['one fingerprint twice', (root) => ({ ...root, nodes: [node('a'), { ...node('a'), identity: 'b' }] })],
    ['a node without an address', (root) => ({ ...root, nodes: [{ identity: 'a', endpoint: null }] })],
    ['a port of 0', (root) => ({ ...root, nodes: [{ identity: 'a', endpoint: { ...node('a').endpoint!, port: 0 } }] })],
    ['a threshold above the authorities', (root) => ({ ...root, threshold: 2 })],
    ['an activation of 0', (root) => ({ ...root, activation: 0 })],
    ['a profile of another protocol', (root) => ({ ...root, profile: 'tor' })],
    ['half a digest', (root) => ({ ...root, previousDigest: new Uint8Array(16) })],
    [
      'addresses in a first root',
      (root) => ({ ...root, version: 1, activation: 0, previousDigest: new Uint8Array(0) }),
    ],
  ])('is refused with %s', (_, change) => {
    const good = next(beginning(...ABC), { activation: 900, nodes: nodes(...ABC) });
    expect(codeOf(() => encodeTrustRoot(change(good)))).toMatch(/^ENVELOPE_(INVALID_VALUE|TOO_LARGE)$/);
  });

  test('is taken only as it was made: nothing unknown, nothing in another order, no other kind of message', () => {
    const bytes = encodeTrustRoot(next(beginning(...ABC), { activation: 900, nodes: nodes(...ABC) }));
    expect(codeOf(() => decodeTrustRoot(new Uint8Array([...bytes, 0x78, 1])))).toBe('ENVELOPE_INVALID_VALUE');
    const format = bytes.subarray(0, 2 + bytes[1]!);
    expect(codeOf(() => decodeTrustRoot(new Uint8Array([...bytes.subarray(format.length), ...format])))).toBe(
      'ENVELOPE_INVALID_VALUE',
    );
    const listing = toBinary(DiscoveryListingSchema, create(DiscoveryListingSchema, { version: 'xpx-discovery-1.0' }));
    expect(codeOf(() => decodeTrustRoot(listing))).toBe('ENVELOPE_INVALID_VALUE');
    expect(codeOf(() => decodeTrustRoot(new Uint8Array(MAX_TRUST_ROOT_BYTES + 1)))).toBe('ENVELOPE_TOO_LARGE');
  });
});

describe('a chain of trust roots', () => {
  test('grows by a root that a quorum of the one before and every new node have signed', async () => {
    const first = beginning(...ABC);
    const second = await grown(first, { activation: 900, nodes: nodes('a', 'b', 'c', 'd') }, ['a', 'c', 'd']);
    const third = await grown(second, { activation: 1800, nodes: nodes('b', 'c', 'd') }, ['b', 'c', 'd']);
    expect(third.newest.document.version).toBe(3);
    expect([0, 899, 900, 1799, 1800].map((at) => third.at(at).document.version)).toEqual([1, 1, 2, 2, 3]);
    expect(first.roots).toHaveLength(1);
  });

  test.each<[string, string, readonly string[]]>([
    ['no signature', 'quorumMissing', []],
    ['less than a quorum', 'quorumMissing', ['a', 'd']],
    ['the quorum made of the new root', 'quorumMissing', ['b', 'd', 'e']],
    ['one node signing thrice', 'quorumMissing', ['a', 'a', 'a', 'd']],
    ['a new node that is silent', 'newNodeUnsigned', ABC],
  ])('does not grow by %s', async (_, code, signers) => {
    const chain = beginning(...ABC);
    const step = await chain.extend(
      [signed(next(chain, { activation: 900, nodes: nodes('b', 'd') }), signers)],
      crypto,
    );
    expect(step.refused?.code).toBe(code);
    expect(step.chain).toBe(chain);
  });

  test('takes nothing from the good signatures when forged ones stand among them', async () => {
    const chain = beginning(...ABC);
    const good = signed(next(chain, { activation: 900, nodes: nodes('a', 'b') }), ['a', 'b']);
    const forged = signatureOf('c', new Uint8Array([1]));
    const mixed = create(SignedTrustRootSchema, { root: good.root, signatures: [forged, ...good.signatures] });
    const { chain: after } = await chain.extend([mixed], crypto);
    expect(after.newest.signed?.signatures).toHaveLength(2);
  });

  test('refuses a signature whose certificate has run out by the activation, at whatever time it is looked at', async () => {
    const chain = beginning(...ABC);
    const outcome = async (activation: number) => {
      const root = encodeTrustRoot(next(chain, { activation, nodes: nodes('a', 'b') }));
      const signatures = [signatureOf('a', root), signatureOf('b', root, 'b expiring')];
      return (await chain.extend([create(SignedTrustRootSchema, { root, signatures })], crypto)).refused?.code;
    };
    expect(await outcome(EXPIRY)).toBeUndefined();
    expect(await outcome(EXPIRY + 1)).toBe('quorumMissing');
  });

  test('refuses what does not follow: a skipped version, another past, an earlier activation, another profile', async () => {
    const chain = await grown(beginning(...ABC), { activation: 900, nodes: nodes(...ABC) }, ABC);
    const good = next(chain, { activation: 1800, nodes: nodes('a', 'b') });
    const codes = await Promise.all(
      [
        { ...good, version: 4 },
        { ...good, previousDigest: sha256(new Uint8Array([9])) },
        { ...good, activation: 899 },
        { ...good, profile: 'psp' },
        { ...good, nodes: nodes('a', 'bad') },
      ].map(async (root) => (await chain.extend([signed(root, [...ABC, 'bad'])], crypto)).refused?.code),
    );
    expect(codes).toEqual(['versionMissing', 'wrongPrevious', 'wrongActivation', 'wrongProfile', 'unusable']);
  });

  test('passes over what it has, tells of a fork, and stops at the first bad one', async () => {
    const chain = await grown(beginning(...ABC), { activation: 900, nodes: nodes(...ABC) }, ABC);
    const replay = await chain.extend([chain.newest.signed!], crypto);
    expect(replay).toEqual({ chain, taken: 0, refused: null });
    const other = signed(next(beginning(...ABC), { activation: 1800, nodes: nodes('a', 'b') }), ABC);
    expect((await chain.extend([other], crypto)).refused?.code).toBe('forked');
    const third = await grown(chain, { activation: 1800, nodes: nodes('a', 'b') }, ABC);
    const bad = signed(next(third, { activation: 2700, nodes: nodes('a') }), ['a']);
    const step = await beginning(...ABC).extend([...third.after(1), bad], crypto);
    expect([step.taken, step.refused?.code]).toEqual([2, 'quorumMissing']);
  });

  test('is told garbage without harm', async () => {
    const chain = beginning(...ABC);
    for (const root of [new Uint8Array(0), new Uint8Array(40).fill(0xff), new Uint8Array(MAX_TRUST_ROOT_BYTES + 1)]) {
      const { refused } = await chain.extend([create(SignedTrustRootSchema, { root })], crypto);
      expect(['malformed', 'tooLarge']).toContain(refused?.code);
    }
  });

  test('a reader built with a later root passes over what came before it', async () => {
    const second = await grown(beginning(...ABC), { activation: 900, nodes: nodes(...ABC) }, ABC);
    const third = await grown(second, { activation: 1800, nodes: nodes('a', 'b') }, ABC);
    const later = (await beginning(...ABC).extend(second.after(1), crypto)).chain;
    const built = TrustRootChain.from(later.newest.document, sha256);
    const step = await built.extend(third.after(1), crypto);
    expect(step.refused).toBeNull();
    expect(step.chain.newest.document.version).toBe(3);
    expect(step.chain.after(1)).toEqual([]);
    expect(step.chain.after(2)).toHaveLength(1);
  });

  test('an incomplete root is counted: who has signed, and who is missing', async () => {
    const chain = beginning(...ABC);
    const document = next(chain, { activation: 900, nodes: nodes('a', 'b', 'd') });
    const tally = await tallyRoot(chain.newest.document, document, signed(document, ['c']), crypto);
    expect(tally).toMatchObject({ old: ['c'], quorum: 2, added: [], missing: ['d'] });
  });
});

describe('trust roots on their way', () => {
  test('come in messages of a bounded number, and as one piece for files', async () => {
    let chain = beginning('a');
    for (let i = 1; i <= MAX_ROOTS_PER_MESSAGE + 2; i++) {
      chain = await grown(chain, { activation: i * 900, nodes: nodes('a') }, ['a']);
    }
    const pull = (newerThan: bigint) => create(PullTrustRootsSchema, { requestID: 7n, newerThan });
    const answer = answerRootPull(chain, pull(1n));
    expect([answer.requestID, answer.roots.length]).toEqual([7n, MAX_ROOTS_PER_MESSAGE]);
    expect(answerRootPull(chain, pull(BigInt(MAX_ROOTS_PER_MESSAGE) + 1n)).roots).toHaveLength(2);
    expect(answerRootPull(chain, pull(10_000n)).roots).toEqual([]);
    const step = await beginning('a').extend(decodeTrustRoots(encodeTrustRoots(answer.roots)), crypto);
    expect(step.taken).toBe(MAX_ROOTS_PER_MESSAGE);
    expect(codeOf(() => decodeTrustRoots(new Uint8Array([0xff])))).toBe('ENVELOPE_TRUNCATED');
  });

  test('what a listing says of its judge is read without its items; other bytes say nothing', () => {
    const listing = create(DiscoveryListingSchema, { version: 'v', items: [new Uint8Array(300)], creation: 1234n });
    expect(listingClaims(toBinary(DiscoveryListingSchema, listing))).toEqual({ creation: 1234, rootVersion: 1 });
    const later = toBinary(DiscoveryListingSchema, { ...listing, rootVersion: 7n });
    expect(listingClaims(later)).toEqual({ creation: 1234, rootVersion: 7 });
    for (const bytes of [new Uint8Array([0xff, 0xff]), new Uint8Array(0)]) {
      expect(listingClaims(bytes)).toEqual({ creation: undefined, rootVersion: 1 });
    }
  });
});
