import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeTrustRoots, firstTrustRoot, TrustRootChain, type NodeEndpoint } from '@discovery-raft/psp-envelope';
import type { Roster } from '@discovery-raft/discovery-consensus-fsm';
import type { Server } from '@discovery-raft/raft-core';
import { FileRootStore, pkiRootCrypto, RootKeeper } from '../src/index.js';
import { nextStep } from '../src/node/raft-membership.js';
import { ChainVerifierRoots } from '../src/roots/chain-verifier-roots.js';
import { nodesToLink } from '../src/roots/known-nodes.js';
import { proposeRoot, slotBegin, type ProposedChange } from '../src/roots/propose.js';
import { newFolder, removeFolders } from './fixtures/folder.js';
import { network, NOON, official } from './fixtures/people.js';
import { endpointOf, keeperOf, successor } from './fixtures/trust-roots.js';

const { root, identities } = network(3);
const [A, B, C] = identities.map(({ identity }) => identity) as [string, string, string];
const NEW = official('node new', 'discovery');
const crypto = pkiRootCrypto();

afterAll(removeFolders);

describe("Raft's servers follow the trust root", () => {
  const roster = (version: number, activation: number, ...names: string[]): Roster => ({
    ...{ version, activation },
    members: names.map((identity) => ({ identity })),
  });
  const servers = (...texts: string[]): Server[] =>
    texts.map((text) => {
      const [suffrage, id] = text.split(' ') as ['voter' | 'nonvoter', string];
      return { suffrage, id, address: id };
    });
  const before = roster(1, 0, 'a', 'b', 'c');

  test.each<[string, Roster, number, Server[], unknown]>([
    ['nothing to do', roster(2, 100, 'a', 'b', 'c'), 100, servers('voter a', 'voter b', 'voter c'), null],
    [
      'a node to come receives the log before its time',
      roster(2, 100, 'a', 'b', 'c', 'd'),
      50,
      servers('voter a', 'voter b', 'voter c'),
      { kind: 'add', identity: 'd' },
    ],
    [
      'and no vote',
      roster(2, 100, 'a', 'b', 'c', 'd'),
      50,
      servers('voter a', 'voter b', 'voter c', 'nonvoter d'),
      null,
    ],
    [
      'it gets its vote with its root',
      roster(2, 100, 'a', 'b', 'c', 'd'),
      100,
      servers('voter a', 'voter b', 'voter c', 'nonvoter d'),
      { kind: 'promote', identity: 'd' },
    ],
    [
      'a node that will go stays until then',
      roster(2, 100, 'a', 'b'),
      50,
      servers('voter a', 'voter b', 'voter c'),
      null,
    ],
    [
      'and is removed then',
      roster(2, 100, 'a', 'b'),
      100,
      servers('voter a', 'voter b', 'voter c'),
      { kind: 'remove', identity: 'c' },
    ],
    [
      'a leader that will go hands over at once',
      roster(2, 100, 'b', 'c'),
      50,
      servers('voter a', 'voter b', 'voter c'),
      { kind: 'handOver', identity: 'b' },
    ],
    [
      'first who goes, then who comes',
      roster(2, 100, 'a', 'b', 'd'),
      100,
      servers('voter a', 'voter b', 'voter c'),
      { kind: 'remove', identity: 'c' },
    ],
    [
      'alone, there is nobody to hand over to',
      roster(2, 100, 'd'),
      50,
      servers('voter a'),
      { kind: 'add', identity: 'd' },
    ],
  ])('%s', (_, next, now, present, step) => {
    expect(nextStep('a', present, [before, next], now)).toEqual(step);
  });
});

describe('the nodes to be linked with', () => {
  const where = (identity: string, port: number) => ({
    identity,
    fingerprint: endpointOf(identity).fingerprint,
    host: 'x',
    port,
  });
  const configured = [where(A, 1), where(B, 2), where(C, 3)];

  test('are those in force and to come, and servers that still have to hear of their end', async () => {
    const first = TrustRootChain.from(firstTrustRoot(root), crypto.sha256);
    const signed = await successor(first, NOON, [A, B, NEW.identity], [...identities.slice(0, 2), NEW]);
    const { chain } = await first.extend([signed], crypto);
    const names = (at: number, servers: readonly string[]) =>
      nodesToLink(chain, at, servers, configured)
        .map(({ identity }) => identity)
        .sort();
    expect(names(NOON - 1, [])).toEqual([A, B, C, NEW.identity].sort());
    expect(names(NOON, [A, B, C])).toEqual([A, B, C, NEW.identity].sort());
    expect(names(NOON, [A, B])).toEqual([A, B, NEW.identity].sort());
    // Before the activation the configuration says where the old nodes are, afterwards the root does.
    const portOf = (at: number) => nodesToLink(chain, at, [], configured).find(({ identity }) => identity === A)?.port;
    expect([portOf(NOON - 1), portOf(NOON)]).toEqual([1, 9100]);
  });
});

describe('a proposal', () => {
  const first = TrustRootChain.from(firstTrustRoot(root), crypto.sha256);
  const nodes = [A, B, C].map((identity): { identity: string; endpoint: NodeEndpoint } => ({
    identity,
    endpoint: endpointOf(identity),
  }));
  const nothing: ProposedChange = {
    ...{ add: [], remove: [], rotate: new Map(), move: new Map(), addAuthorities: [], removeAuthorities: [] },
    activation: NOON,
  };
  const propose = (change: Partial<ProposedChange>) => proposeRoot(first.newest, nodes, { ...nothing, ...change });

  test('adds, removes, rotates and moves, and follows from the newest root', () => {
    const document = propose({
      add: [{ identity: NEW.identity, ...endpointOf(NEW.identity) }],
      remove: [C],
      rotate: new Map([[A, 'CD'.repeat(32)]]),
      move: new Map([[B, { host: 'b.example', port: 7 }]]),
    });
    expect(document).toMatchObject({ version: 2, previousDigest: first.newest.digest, activation: NOON });
    expect(new Map(document.nodes.map(({ identity, endpoint }) => [identity, endpoint]))).toEqual(
      new Map([
        [A, { ...endpointOf(A), fingerprint: 'CD'.repeat(32) }],
        [B, { ...endpointOf(B), host: 'b.example', port: 7 }],
        [NEW.identity, endpointOf(NEW.identity)],
      ]),
    );
  });

  test.each<[string, Partial<ProposedChange>]>([
    ['a node that is none', { remove: [NEW.identity] }],
    ['a node that is there', { add: [{ identity: A, ...endpointOf(A) }] }],
    ['fewer authorities than the threshold', { removeAuthorities: [...root.authorities].slice(0, 1) }],
    ['nobody left', { remove: [A, B, C] }],
  ])('is refused with %s', (_, change) => {
    expect(() => propose(change)).toThrow(/\[(NODE_INVALID_OPTION|ENVELOPE_INVALID_VALUE)\]/);
  });

  test('comes into force at the begin of a slot', () => {
    const slots = { genesisSeconds: 100, slotSeconds: 900 };
    expect([100, 101, 1000, 1001].map((at) => slotBegin(slots, at))).toEqual([100, 1000, 1000, 1900]);
  });
});

describe('the keeper of the roots', () => {
  const open = (file: string) =>
    RootKeeper.open({ first: firstTrustRoot(root), configured: [], crypto, store: new FileRootStore(file) });
  const next = () => keeperOf(root).then(({ chain }) => successor(chain, NOON, [A, B, C], identities));

  test('knows after a restart what it knew before, and tells who listens', async () => {
    const file = join(newFolder(), 'trust-roots.bin');
    const keeper = await open(file);
    const changed = jest.fn();
    keeper.onChanged(changed);
    await keeper.offer([await next()], 'test');
    await keeper.offer([await next()], 'test');
    expect(changed).toHaveBeenCalledTimes(1);
    expect((await open(file)).rosters().map(({ version }) => version)).toEqual([1, 2]);
  });

  test('of a damaged file, or one of another network, says what to do', async () => {
    const file = join(newFolder(), 'trust-roots.bin');
    const advice = expect.stringContaining('`root export` of another node') as string;
    writeFileSync(file, Buffer.from([0xff, 1, 2]));
    await expect(open(file)).rejects.toMatchObject({ code: 'NODE_DATA_CORRUPT', message: advice });
    const signed = await next();
    writeFileSync(file, encodeTrustRoots([{ ...signed, signatures: signed.signatures.slice(0, 1) }]));
    await expect(open(file)).rejects.toMatchObject({ code: 'NODE_DATA_CORRUPT', message: advice });
  });

  test('takes nothing that cannot be stored', async () => {
    const store = { load: () => Promise.resolve([]), save: () => Promise.reject(new Error('disk full')) };
    const keeper = await keeperOf(root, store);
    await expect(keeper.offer([await next()], 'test')).rejects.toThrow('disk full');
    expect(keeper.chain.roots).toHaveLength(1);
  });
});

describe('the roots of a verifier', () => {
  test('are one period as long as the authorities are the same, with all nodes of it', async () => {
    const keeper = await keeperOf(root);
    const roots = new ChainVerifierRoots(() => keeper.chain);
    const period = roots.at(NOON);
    expect(period).toMatchObject({ notBefore: 0 });
    await keeper.offer(
      [await successor(keeper.chain, NOON, [A, NEW.identity], [...identities.slice(0, 2), NEW])],
      'test',
    );
    expect(roots.at(NOON).root.discoveryNodes).toEqual(new Set([A, B, C, NEW.identity]));
    expect(roots.everyNode.discoveryNodes.size).toBe(4);
    expect(roots.version).toBe(2);
    expect(roots.at(NOON)).toMatchObject({ notBefore: 0, notAfter: period.notAfter });
  });
});
