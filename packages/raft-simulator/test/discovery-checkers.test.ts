import { consensusQuorum, POLICIES, attestationsNeeded } from '@discovery-raft/discovery-consensus-fsm';
import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import type { ListView } from '@discovery-raft/raft-log-list';
import { creationOf } from '../src/discovery/calendar.js';
import type { SignedListing } from '../src/discovery/checkers/checker.js';
import { CheckedCommittees } from '../src/discovery/checkers/committees.js';
import { NextSlot } from '../src/discovery/checkers/next-slot.js';
import { OneDirectoryARound } from '../src/discovery/checkers/one-directory-a-round.js';
import { OneSignatureARound } from '../src/discovery/checkers/one-signature-a-round.js';
import { attestationsOf, quorumOf } from '../src/discovery/checkers/quorum.js';
import { RootDecides } from '../src/discovery/checkers/root-decides.js';
import { RoundsGoForward } from '../src/discovery/checkers/rounds-go-forward.js';
import { SameList } from '../src/discovery/checkers/same-list.js';
import { Keyring } from '../src/discovery/crypto/keyring.js';
import { parseDiscoveryArguments } from '../src/discovery/cli/arguments.js';
import type { DiscoverySimNode } from '../src/discovery/node/discovery-node.js';

/** As much of a node as these checkers look at. */
function nodeCalled(name: string, rest: object = {}): DiscoverySimNode {
  const node = { id: name, plan: { name }, directoryDisk: { directory: null }, wallNow: () => 0, ...rest };
  return node as unknown as DiscoverySimNode;
}

function signed(
  node: DiscoverySimNode | null,
  round: number,
  digest: string,
  identity = node?.id ?? 'liar',
  rootVersion = 1,
): SignedListing {
  const creation = creationOf(round);
  const listing = { digest, creation, expiration: creation + 36, rootVersion, isShort: false, items: [] };
  return { identity, node, listing };
}

/** The nodes of each root; the second one decides from round 2 on. */
function rooted(...names: readonly (readonly string[])[]): CheckedCommittees {
  const rosters = names.map((members, i) => ({
    version: i + 1,
    activation: i === 0 ? 0 : creationOf(2),
    members: members.map((identity) => ({ identity })),
  }));
  return new CheckedCommittees(rosters, 'safe');
}

describe('checkers', () => {
  test('work out the same thresholds as the consensus, in another way', () => {
    for (let n = 3; n <= 31; n++) {
      for (const policy of ['safe', 'documented'] as const) {
        expect(quorumOf(n, policy)).toBe(consensusQuorum(POLICIES[policy], n));
      }
      expect(attestationsOf(n)).toBe(attestationsNeeded(POLICIES.safe, n));
    }
  });

  test('two directories of a round: liars’ signatures count for both', () => {
    const reports: string[] = [];
    const checker = new OneDirectoryARound(rooted(['liar', 'a', 'b', 'c']), (message) => reports.push(message));
    for (const digest of ['aa', 'bb']) checker.listingSigned(signed(null, 1, digest, 'liar'));
    for (const name of ['a', 'b']) checker.listingSigned(signed(nodeCalled(name), 1, 'aa'));
    for (const name of ['c', 'c', 'stranger']) checker.listingSigned(signed(nodeCalled(name), 1, 'bb'));
    checker.listingSigned(signed(nodeCalled('a'), 2, 'bb'));
    expect(reports).toEqual([]);
    checker.listingSigned(signed(nodeCalled('a'), 1, 'bb'));
    expect(reports).toEqual([expect.stringContaining('two directories of round 1')]);
  });

  test('two directories of a round, by the old root and by the new one', () => {
    const reports: string[] = [];
    const committees = rooted(['liar', 'a', 'b', 'c'], ['a', 'b', 'c']);
    const checker = new OneDirectoryARound(committees, (message) => reports.push(message));
    for (const name of ['liar', 'a', 'b']) checker.listingSigned(signed(null, 2, 'aa', name, 1));
    // Whoever is no node of the new root counts for nothing there.
    for (const name of ['liar', 'c']) checker.listingSigned(signed(null, 2, 'bb', name, 2));
    expect(reports).toEqual([]);
    checker.listingSigned(signed(null, 2, 'bb', 'b', 2));
    expect(reports).toEqual([expect.stringContaining('two directories of round 2')]);
  });

  test.each([
    ['the listing first', true],
    ['the root first', false],
  ])('a quorum of the old root for a round of the new one, which a quorum has signed: %s', (_, listingFirst) => {
    const reports: string[] = [];
    const committees = rooted(['liar', 'a', 'b', 'c'], ['a', 'b', 'c']);
    const checker = new RootDecides(committees, (message) => reports.push(message));
    const listing = (): void => {
      for (const name of ['liar', 'a', 'b']) checker.listingSigned(signed(null, 2, 'aa', name, 1));
    };
    for (const name of ['liar', 'a', 'b']) checker.listingSigned(signed(null, 1, 'bb', name, 1));
    for (const name of ['liar', 'a', 'c']) checker.listingSigned(signed(null, 3, 'cc', name, 2));
    if (listingFirst) listing();
    for (const name of ['liar', 'stranger', 'c']) checker.rootSigned(name);
    expect(reports).toEqual([]);
    checker.rootSigned('b');
    if (!listingFirst) {
      expect(reports).toEqual([]);
      listing();
    }
    expect(reports).toEqual([expect.stringContaining('signed the next one')]);
  });

  test('two signatures of an honest node in a round, or one of an older round', () => {
    const reports: string[] = [];
    const checker = new OneSignatureARound((message) => reports.push(message));
    const node = nodeCalled('a');
    for (const [round, digest] of [
      [1, 'aa'],
      [1, 'aa'],
      [2, 'bb'],
    ] as const) {
      checker.listingSigned(signed(node, round, digest));
    }
    checker.listingSigned(signed(null, 2, 'cc', 'liar'));
    expect(reports).toEqual([]);
    checker.listingSigned(signed(node, 2, 'cc'));
    checker.listingSigned(signed(node, 1, 'aa'));
    expect(reports).toEqual(['a signs two listings in round 2', 'a signs in round 1 after one of 2']);
  });

  test('a directory of an older round; an interim one may follow one that has expired', () => {
    const reports: string[] = [];
    let now = 0;
    const checker = new RoundsGoForward((message) => reports.push(message));
    const node = nodeCalled('a', { wallNow: () => now });
    const serve = (round: number): void => {
      checker.served(node, { round, expiration: 100 } as unknown as StoredDirectory);
    };
    for (const round of [0, 1, 2, 2]) serve(round);
    now = 100;
    serve(0);
    expect(reports).toEqual([]);
    serve(1);
    expect(reports).toEqual(['a goes back from round 2 to 1']);
  });

  test('lists that differ at one index', () => {
    const reports: string[] = [];
    const checker = new SameList((message) => reports.push(message));
    const view = (index: number, digest: string): ListView => ({ index, digest: () => digest }) as unknown as ListView;
    checker.viewed(nodeCalled('a'), view(1, 'x'));
    checker.viewed(nodeCalled('b'), view(1, 'x'));
    checker.viewed(nodeCalled('b'), view(2, 'y'));
    expect(reports).toEqual([]);
    checker.viewed(nodeCalled('a'), view(2, 'z'));
    expect(reports).toEqual(['the lists of b and a at index 2 differ']);
  });

  test('a good slot that ends without its directory somewhere', () => {
    const reports: string[] = [];
    const having = (round: number): object => ({
      process: { consensus: { state: 'FollowerRunning', currentDirectory: { round } } },
    });
    const nodes = [nodeCalled('a', having(7)), nodeCalled('b', having(7))];
    const report = (message: string): void => void reports.push(message);
    const committeeAt = () => rooted(['a', 'b', 'c']).of(1)!;
    new NextSlot([...nodes, nodeCalled('no node any more', having(6))], committeeAt, report).goodSlot(7);
    expect(reports).toEqual([]);
    new NextSlot([...nodes, nodeCalled('c', having(6))], committeeAt, report).goodSlot(7);
    expect(reports).toEqual(['slot 7 ends without its directory: c (FollowerRunning) has 6']);
  });
});

test('a key signs for its identity alone, and certificates cannot be made up', () => {
  const ring = new Keyring(1, () => undefined);
  const content = Uint8Array.of(1, 2, 3);
  const signature = ring.key('a').sign(content);
  expect(ring.signer(signature, content)).toMatchObject({ identity: 'a' });
  expect(ring.signer(signature, Uint8Array.of(1, 2))).toBeNull();
  expect(ring.signer({ ...signature, certificate: ring.key('b').certificate }, content)).toBeNull();
  expect(ring.certificate(new TextEncoder().encode('b|0|9|00'))).toBeNull();
  expect(new Keyring(2, () => undefined).signer(signature, content)).toBeNull();
});

test('the command line', () => {
  expect(parseDiscoveryArguments(['--seeds', '5', '--policy', 'documented', '--json'])).toMatchObject({
    ...{ seeds: 5, policy: 'documented', json: true, start: 1, trace: null },
  });
  expect(parseDiscoveryArguments(['--trace', '7'])).toMatchObject({ trace: 7, policy: 'safe' });
  expect(parseDiscoveryArguments(['--policy'])).toBe('--policy takes safe or documented');
  expect(parseDiscoveryArguments(['--sedes', '7'])).toBe('there is no option --sedes');
});
