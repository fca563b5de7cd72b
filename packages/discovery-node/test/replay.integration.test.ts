import { join } from 'node:path';
import { runDemo } from '../src/index.js';

/** Half a minute on two idle cores. */
const LIMIT_MS = 240_000;

test(
  'a day of the real network with slots of 15 minutes: every directory of every node is the one computed offline',
  async () => {
    const summary = await runDemo({ dataFolder: join(__dirname, '../data'), relays: 500, slotMinutes: 15 });
    expect(summary).toMatchObject({ verified: true, lost: 0, wrong: 0 });
    expect(summary.rounds + summary.missed).toBe(97);
    // A slot whose leader is lost may end without a directory.
    expect(summary.missed).toBeLessThanOrEqual(1);
    // Three nodes in the first round, two after the end of the leader.
    expect(summary.compared).toBeGreaterThanOrEqual(3 + 2 * 95);
    expect(summary.identical).toBe(summary.compared);
  },
  LIMIT_MS,
);

test.each([7, 10, 120])('slots of %d minutes are refused', async (slotMinutes) => {
  const running = runDemo({ dataFolder: join(__dirname, '../data'), relays: 10, slotMinutes });
  await expect(running).rejects.toMatchObject({ code: 'NODE_INVALID_OPTION', details: { option: 'slotMinutes' } });
});
