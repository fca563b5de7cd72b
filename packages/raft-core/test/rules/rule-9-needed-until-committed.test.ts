import { encodeConfiguration } from '../../src/core/configuration.js';
import { EntryType } from '../../src/index.js';
import { CoreDriver, voter } from '../support/core-driver.js';

/**
 * Raft thesis, section 4.2.2: a server that its own newest configuration leaves out must still campaign until that
 * configuration is committed. Found by the simulator: a leader had appended the last step of a change from {a, b} to {c, d},
 * lost leadership before anybody else had the entry, and nobody could ever be elected again.
 */
describe('rule 9: who is on the way out is needed until that is committed', () => {
  const joint = { servers: ['c', 'd'].map(voter), outgoing: ['a', 'b'].map(voter) };
  const after = { servers: joint.servers };

  /** Server a with both configurations in its log, of which everything up to `committed` is known to be committed. */
  function leaving(committed: number): CoreDriver {
    const driver = new CoreDriver({ configurations: [{ index: 1, configuration: joint }], log: [1] });
    const entry = { index: 2, term: 1, type: EntryType.configuration, data: encodeConfiguration(after) };
    driver.append('b', 1, [1, 1], [entry], committed);
    return driver;
  }

  test('it asks the others for their votes, and leads by those alone', () => {
    const driver = leaving(1);
    const effects = driver.passToDeadline();
    const requests = driver.sent('requestVote', undefined, effects);
    expect(requests.map(({ to }) => to.id)).toEqual(['c', 'd']);
    driver.answer(requests[0]!);
    // Its own vote does not count: one of two is no majority.
    expect(driver.core.state).toBe('candidate');
    driver.answer(requests[1]!);
    expect(driver.core.state).toBe('leader');
  });

  test('once that is committed it keeps still', () => {
    const driver = leaving(2);
    expect(driver.sent('requestVote', undefined, driver.passToDeadline())).toEqual([]);
    expect(driver.core.state).toBe('follower');
  });
});
