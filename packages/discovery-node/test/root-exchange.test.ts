import { create } from '@bufbuild/protobuf';
import { SignedTrustRootSchema, TrustRootsSchema, type SignedTrustRoot } from '@discovery-raft/protocol';
import { SimulatedClock, silentLogger } from '@discovery-raft/raft-core';
import type { RootKeeper } from '../src/index.js';
import { RootExchange } from '../src/roots/root-exchange.js';
import { network } from './fixtures/people.js';
import { keeperOf } from './fixtures/trust-roots.js';

const { root } = network(3);

/** An exchange whose offers are judged when the test says so. */
async function slowExchange() {
  const keeper = await keeperOf(root);
  const offered: { readonly roots: readonly SignedTrustRoot[]; readonly from: string; judge: () => void }[] = [];
  keeper.offer = (roots, from): ReturnType<RootKeeper['offer']> =>
    new Promise((resolve) => {
      const judge = (): void => resolve({ chain: keeper.chain, taken: 0, refused: null });
      offered.push({ roots, from, judge });
    });
  const clock = new SimulatedClock();
  const exchange = new RootExchange({
    ...{ keeper, clock, protocolVersion: '1', logger: silentLogger },
    send: () => Promise.resolve(),
    peers: () => [],
  });
  const receive = (from: string, text: string): Promise<void> => {
    const roots = [create(SignedTrustRootSchema, { root: Buffer.from(text) })];
    return exchange.receive(from, { event: 'trustRoots', body: create(TrustRootsSchema, { roots }) });
  };
  return { offered, receive };
}

test('a peer that sends roots faster than they are judged has one of its messages wait, the last', async () => {
  const { offered, receive } = await slowExchange();
  const received = Array.from({ length: 100 }, (_, i) => receive('a', String(i)));
  const other = receive('b', 'of b');
  expect(offered.map(({ from }) => from)).toEqual(['a', 'b']);
  for (const { judge } of offered.slice()) judge();
  await other;
  await new Promise((resolve) => setImmediate(resolve));
  expect(offered.map(({ roots }) => Buffer.from(roots[0]!.root).toString())).toEqual(['0', 'of b', '99']);
  offered.at(-1)!.judge();
  await Promise.all(received);
  void receive('a', 'again');
  expect(offered).toHaveLength(4);
});
