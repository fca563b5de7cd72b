import type { MaybePromise } from '../ports/log-store.js';
import type { HardState, StableStore } from '../ports/stable-store.js';
import { assertSame, type ConformanceCheck } from './check.js';
import type { StoreConformanceOptions } from './log-store.js';

const STATES: readonly HardState[] = [
  { term: 1, votedFor: null },
  { term: 1, votedFor: 'a' },
  { term: 2, votedFor: null },
  { term: 2 ** 40, votedFor: 'node-\u00e9\u{1f600}-"\\\u0000' },
  { term: Number.MAX_SAFE_INTEGER, votedFor: 'x'.repeat(300) },
];

/**
 * What {@link StableStore} promises.
 *
 * @param create gives a new, empty store at each call; each check closes its own
 */
export function stableStoreConformance(
  create: () => MaybePromise<StableStore>,
  options: StoreConformanceOptions<StableStore> = {},
): readonly ConformanceCheck[] {
  const check = (name: string, body: (store: StableStore) => Promise<StableStore>): ConformanceCheck => ({
    name: `StableStore: ${name}`,
    run: async () => {
      const store = await body(await create());
      await store.close();
    },
  });
  const { reopen } = options;
  return [
    check('a new store holds nothing', async (store) => {
      assertSame(await store.load(), null, 'what a new store loads');
      return store;
    }),
    check('what was saved last is loaded, whole', async (store) => {
      for (const state of STATES) {
        await store.save(state);
        assertSame(await store.load(), state, 'the state');
      }
      return store;
    }),
    check('a vote is forgotten when the state says nobody', async (store) => {
      await store.save({ term: 3, votedFor: 'a' });
      await store.save({ term: 4, votedFor: null });
      assertSame(await store.load(), { term: 4, votedFor: null }, 'the state');
      return store;
    }),
    ...(reopen === undefined
      ? []
      : STATES.map((state) =>
          check(`term ${state.term} and its vote outlive a restart`, async (store) => {
            await store.save({ term: 1, votedFor: 'somebody else' });
            await store.save(state);
            const again = await reopen(store);
            assertSame(await again.load(), state, 'the state');
            return again;
          }),
        )),
  ];
}
