// Terms stay below 2^53: a number above may stand for two.
import { CoreDriver } from './support/core-driver.js';

const LAST = Number.MAX_SAFE_INTEGER;

test.each([true, false])('in the last term nobody campaigns any more (preVote %p)', (preVote) => {
  const driver = new CoreDriver({ term: LAST, log: [1], config: { preVote } });
  driver.pass(60_000);
  driver.pass(60_000);
  driver.request({ kind: 'timeoutNow', header: { protocolVersion: 3, id: 'b', address: 'b' }, term: LAST });
  expect(driver.core).toMatchObject({ state: 'follower', term: LAST });
  expect(driver.ofType('send')).toEqual([]);
  expect(driver.ofType('persist').filter(({ hardState }) => hardState !== null)).toEqual([]);
});

test('in the one before it still can be led', () => {
  const driver = new CoreDriver({ term: LAST - 1, log: [1] });
  driver.becomeLeader();
  expect(driver.core).toMatchObject({ state: 'leader', term: LAST });
});
