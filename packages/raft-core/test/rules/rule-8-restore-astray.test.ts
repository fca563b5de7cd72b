import { CoreDriver, entry } from '../support/core-driver.js';

/**
 * A user's restore puts a snapshot above the log, with a gap when the restored state's index is greater. When its leader
 * fails before a quorum has it, the next leader's entries may fall into the gap. Found by the simulator: they were taken as
 * covered by the snapshot and acknowledged, and an entry was committed that a minority held.
 */
describe('rule 8: a snapshot that the leader does not have covers nothing', () => {
  const astray = (): CoreDriver => new CoreDriver({ snapshot: { index: 82, term: 13 }, term: 15 });

  test.each([
    ['entries in the gap', [77, 13], [entry(78, 15)]],
    ['a heartbeat that builds on the gap', [78, 15], []],
  ] as const)('%s are not acknowledged, and stop the server', (_, prev, entries) => {
    const driver = astray();
    expect(driver.append('b', 15, prev, entries, 76)).toBeUndefined();
    expect(driver.ofType('halt').map(({ failure }) => failure.code)).toEqual(['RAFT_STORE_CORRUPT']);
  });

  test('what comes late and is covered is acknowledged', () => {
    const driver = astray();
    expect(driver.append('b', 15, [70, 12], [entry(71, 13)], 71)).toMatchObject({ success: true, matchIndex: 71 });
    expect(driver.append('b', 15, [82, 13], [entry(83, 15)], 82)).toMatchObject({ success: true, matchIndex: 83 });
  });
});
