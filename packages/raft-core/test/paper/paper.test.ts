// One test for each claim of "In Search of an Understandable Consensus Algorithm" (extended version) that can be seen from
// outside one server. The section stands in the title. Pre-vote is off, as it is not part of the paper.
import { CoreDriver, entriesOf, entry, type DriverOptions } from '../support/core-driver.js';

const FIVE = ['a', 'b', 'c', 'd', 'e'];
const SEVEN = [...FIVE, 'f', 'g'];

/** Puts a fresh server of a cluster into a state. */
function serverAs(state: 'follower' | 'candidate' | 'leader', options: DriverOptions = {}): CoreDriver {
  const driver = new CoreDriver({ term: 1, ...options });
  if (state === 'follower') driver.append('b', driver.core.term, [0, 0]);
  if (state === 'candidate') driver.passToDeadline();
  if (state === 'leader') driver.becomeLeader();
  expect(driver.core.state).toBe(state);
  return driver;
}

/** Makes a leader whose peers have acknowledged everything. */
function settledLeader(options: DriverOptions = {}): CoreDriver {
  const driver = serverAs('leader', options);
  for (const peer of options.voters ?? ['a', 'b', 'c']) driver.acknowledge(peer);
  return driver;
}

describe('terms', () => {
  test.each(['follower', 'candidate', 'leader'] as const)(
    'section 5.1: a %s that hears of a larger term takes it and follows',
    (state) => {
      const driver = serverAs(state);
      const term = driver.core.term + 3;
      driver.append('c', term, [0, 0]);
      expect(driver.core).toMatchObject({ state: 'follower', term, leader: { id: 'c' } });
    },
  );

  test('section 5.1: a request of an older term is refused and changes nothing', () => {
    const driver = serverAs('follower', { term: 4, log: [1, 4] });
    const before = driver.core.leaderContactAt;
    driver.now += 10;
    expect(driver.append('c', 3, [2, 4], [entry(3, 3)], 3)).toMatchObject({ success: false, term: 4 });
    expect(driver.vote('c', 3, [9, 3])).toMatchObject({ granted: false, term: 4 });
    expect(driver.core).toMatchObject({ term: 4, lastIndex: 2, commitIndex: 0, leaderContactAt: before });
  });
});

describe('elections', () => {
  test('section 5.2: a server starts as a follower', () => {
    expect(new CoreDriver().core.state).toBe('follower');
  });

  test('section 5.2: a leader sends heartbeats to every follower, again and again', () => {
    const driver = settledLeader({ voters: FIVE });
    for (let round = 0; round < 3; round++) {
      const sent = driver.sent('appendEntries', undefined, driver.pass(200));
      expect(sent.map(({ to }) => to.id).sort()).toEqual(['b', 'c', 'd', 'e']);
      for (const { request } of sent) expect(request).toMatchObject({ entries: [], term: driver.core.term });
      for (const send of sent) driver.answer(send);
    }
  });

  test.each(['follower', 'candidate'] as const)(
    'section 5.2: a %s whose election timer fires votes for itself in a new term and asks everybody',
    (state) => {
      const driver = serverAs(state);
      const term = driver.core.term;
      const effects = driver.passToDeadline();
      expect(driver.core).toMatchObject({ state: 'candidate', term: term + 1, leader: null });
      expect(driver.hardState).toEqual({ term: term + 1, votedFor: 'a' });
      const asked = driver.sent('requestVote', undefined, effects);
      expect(asked.map(({ to }) => to.id).sort()).toEqual(['b', 'c']);
      for (const { request } of asked) expect(request.term).toBe(term + 1);
    },
  );

  test.each([
    [1, 0, 0, 'leader'],
    [3, 2, 0, 'leader'],
    [3, 1, 0, 'leader'],
    [5, 4, 0, 'leader'],
    [5, 3, 0, 'leader'],
    [5, 2, 0, 'leader'],
    [5, 2, 2, 'leader'],
    [3, 0, 0, 'candidate'],
    [3, 0, 2, 'candidate'],
    [5, 1, 0, 'candidate'],
    [5, 1, 3, 'candidate'],
    [5, 0, 4, 'candidate'],
    [4, 1, 0, 'candidate'],
    [4, 2, 0, 'leader'],
  ])(
    'section 5.2: of %i servers %i others grant and %i refuse: the candidate is a %s',
    (n, grants, refusals, state) => {
      const driver = new CoreDriver({ voters: SEVEN.slice(0, n), term: 1 });
      driver.passToDeadline();
      const asked = driver.sent('requestVote');
      asked.slice(0, grants).forEach((send) => driver.answer(send, { granted: true }));
      asked.slice(grants, grants + refusals).forEach((send) => driver.answer(send, { granted: false }));
      expect(driver.core.state).toBe(state);
    },
  );

  test.each([
    [null, 'b', true],
    [null, 'c', true],
    ['b', 'b', true],
    ['c', 'c', true],
    ['b', 'c', false],
    ['c', 'b', false],
  ])(
    'section 5.2: one vote a term: having voted for %s, a follower answers %s with %s',
    (votedFor, asking, granted) => {
      const driver = new CoreDriver({ term: 1, votedFor });
      expect(driver.vote(asking, 1, [0, 0])?.granted).toBe(granted);
    },
  );

  test.each([0, 1])(
    'section 5.2: a candidate that hears from a leader of its term, or %i later, follows it',
    (later) => {
      const driver = serverAs('candidate');
      const term = driver.core.term + later;
      driver.append('b', term, [0, 0]);
      expect(driver.core).toMatchObject({ state: 'follower', term, leader: { id: 'b' } });
    },
  );

  test.each(['follower', 'candidate'] as const)(
    'section 5.2: the election timeout of a %s is random between T and 2T',
    (state) => {
      const waits = [0, 0.25, 0.5, 0.75, 0.999].map((random) => {
        const driver = new CoreDriver({ term: 1 });
        driver.random = random;
        if (state === 'candidate') driver.passToDeadline();
        else driver.append('b', 1, [0, 0]);
        return driver.core.nextDeadline() - driver.now;
      });
      expect(waits).toEqual([1000, 1250, 1500, 1750, 1999]);
    },
  );

  test.each(['followers', 'candidates'] as const)(
    'section 5.2: %s with different random numbers do not time out at the same time',
    (state) => {
      const deadlines = FIVE.map((id, i) => {
        const driver = new CoreDriver({ id, voters: FIVE, term: 1 });
        driver.random = i / 5;
        driver.pass(1000);
        if (state === 'followers') driver.append(id === 'a' ? 'b' : 'a', 2, [0, 0]);
        expect(driver.core.state).toBe(state.slice(0, -1));
        return driver.core.nextDeadline();
      });
      expect(new Set(deadlines).size).toBe(5);
    },
  );
});

describe('replication', () => {
  test('section 5.3: a leader appends a command and sends it to every follower, after the entry before it', () => {
    const driver = settledLeader();
    const last = driver.core.lastIndex;
    const effects = driver.propose('x');
    expect(driver.core).toMatchObject({ lastIndex: last + 1, commitIndex: last });
    const sent = driver.sent('appendEntries', undefined, effects);
    expect(sent.map(({ to }) => to.id).sort()).toEqual(['b', 'c']);
    for (const { request } of sent) {
      expect(request).toMatchObject({ prevLogIndex: last, prevLogTerm: driver.core.term, leaderCommitIndex: last });
      expect(request.entries.map(({ index, term }) => [index, term])).toEqual([[last + 1, driver.core.term]]);
    }
  });

  test('section 5.3: an entry that is replicated safely is committed, applied, and told to the followers', () => {
    const driver = settledLeader();
    driver.effects = [];
    const sent = driver.sent('appendEntries', 'b', driver.propose('x'));
    const effects = driver.answer(sent[0]!);
    expect(driver.ofType('commit', effects)).toEqual([{ type: 'commit', index: driver.core.lastIndex }]);
    const next = driver.sent('appendEntries', 'b', driver.pass(200));
    expect(next[0]?.request.leaderCommitIndex).toBe(driver.core.lastIndex);
  });

  test.each([
    [1, 0, true],
    [3, 0, false],
    [3, 1, true],
    [3, 2, true],
    [5, 1, false],
    [5, 2, true],
    [5, 4, true],
    [4, 1, false],
    [4, 2, true],
  ])('section 5.3: of %i servers %i others acknowledge: committed %s', (n, acknowledgements, committed) => {
    const voters = SEVEN.slice(0, n);
    const driver = settledLeader({ voters });
    const effects = driver.propose('x');
    for (const peer of voters.slice(1, 1 + acknowledgements)) driver.acknowledge(peer, effects);
    expect(driver.core.commitIndex === driver.core.lastIndex).toBe(committed);
  });

  test.each([[[]], [[2]], [[1, 2]], [[1]]])(
    'section 5.3: a committed entry commits all before it, those of older leaders too (log %j)',
    (log) => {
      const driver = serverAs('leader', { log, term: 2 });
      driver.propose('x');
      expect(driver.core.commitIndex).toBe(0);
      driver.acknowledge('b');
      driver.acknowledge('b');
      expect(driver.core.commitIndex).toBe(log.length + 2);
    },
  );

  test.each([1, 2, 3])('section 5.3: a follower that learns that entry %i is committed applies up to it', (commit) => {
    const driver = serverAs('follower');
    driver.append('b', 1, [0, 0], entriesOf([1, 1, 1]), commit);
    expect(driver.ofType('commit')).toEqual([{ type: 'commit', index: commit }]);
  });

  test.each([
    ['agrees at the start', [0, 0], true],
    ['agrees at its first entry', [1, 1], true],
    ['agrees at its last entry', [2, 2], true],
    ['has another term there', [1, 2], false],
    ['has another term at its last entry', [2, 1], false],
    ['has no such entry', [3, 3], false],
  ] as const)('section 5.3: a follower that %s answers so', (_, prev, success) => {
    const driver = new CoreDriver({ log: [1, 2], term: 2 });
    expect(driver.append('b', 2, prev)).toMatchObject({ success, term: 2, lastLog: 2 });
    expect(driver.log).toEqual(['1@1', '2@2']);
  });

  test.each([
    [[2, 2], [3], ['1@1', '2@2', '3@3'], ['3@3']],
    [
      [1, 1],
      [3, 4],
      ['1@1', '2@3', '3@4'],
      ['2@3', '3@4'],
    ],
    [[0, 0], [1], ['1@1', '2@2'], []],
    [[0, 0], [3], ['1@3'], ['1@3']],
    [[0, 0], [1, 2, 2], ['1@1', '2@2', '3@2'], ['3@2']],
  ] as const)(
    'section 5.3: after %j a follower takes entries of terms %j, deleting only what conflicts',
    (prev, terms, log, written) => {
      const driver = new CoreDriver({ log: [1, 2], term: 2 });
      expect(driver.append('b', 4, prev, entriesOf(terms, prev[0] + 1))?.success).toBe(true);
      expect(driver.log).toEqual(log);
      const appends = driver.ofType('persist').flatMap(({ log: changes }) => changes);
      const entries = appends.flatMap((change) => (change.op === 'append' ? change.entries : []));
      expect(entries.map(({ index, term }) => `${index}@${term}`)).toEqual(written);
    },
  );

  // Figure 7: the leader's log, and six followers that differ from it in every way.
  const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  test.each([
    ['a: one entry is missing', [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ['b: many are missing', [1, 1, 1, 4]],
    ['c: one too many', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ['d: two too many, of a later term', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ['e: another leader went on', [1, 1, 1, 4, 4, 4, 4]],
    ['f: two other leaders', [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ])('section 5.3, figure 7: the leader makes a follower equal to itself (%s)', (_, log) => {
    const leader = new CoreDriver({ id: 'a', log: leaderLog, term: 7 });
    const follower = new CoreDriver({ id: 'b', log, term: 7 });
    leader.becomeLeader();
    expect(leader.core.term).toBe(8);
    let trips = 0;
    const done = (): boolean => leader.core.commitIndex === leader.core.lastIndex;
    for (let seen = 0; seen < leader.effects.length && !done(); seen++) {
      const [send] = leader.sent('appendEntries', 'b', [leader.effects[seen]!]);
      if (send === undefined) continue;
      trips++;
      leader.answer(
        send,
        follower.append('a', 8, [send.request.prevLogIndex, send.request.prevLogTerm], send.request.entries),
      );
    }
    expect(done()).toBe(true);
    expect(follower.log).toEqual(leader.log);
    // A step back skips a whole term (end of section 5.3), so it does not take a trip for each entry.
    expect(trips).toBeLessThanOrEqual(5);
  });
});

describe('safety', () => {
  test.each([
    [[], 1, [0, 0]],
    [[2], 2, [1, 2]],
    [[1, 2], 2, [2, 2]],
  ])('section 5.4.1: a vote request tells where the candidate’s log ends (log %j)', (log, term, last) => {
    const driver = new CoreDriver({ log, term });
    driver.passToDeadline();
    for (const { request } of driver.sent('requestVote')) {
      expect(request).toMatchObject({ term: term + 1, lastLogIndex: last[0], lastLogTerm: last[1] });
    }
    expect(driver.sent('requestVote')).toHaveLength(2);
  });

  test.each([
    ['the same end', [1], [1, 1], true],
    ['a longer log of the same term', [1], [2, 1], true],
    ['a shorter log of the same term', [1, 1], [1, 1], false],
    ['a later term', [1], [1, 2], true],
    ['a later term and a longer log', [1], [2, 2], true],
    ['a later term and a shorter log', [1, 1], [1, 2], true],
    ['an older term', [2], [1, 1], false],
    ['an older term and a longer log', [2], [2, 1], false],
    ['an older term and a shorter log', [2, 2], [1, 1], false],
  ] as const)('section 5.4.1: a candidate with %s gets the vote, or not', (_, log, last, granted) => {
    const driver = new CoreDriver({ log, term: 2 });
    expect(driver.vote('b', 3, last)?.granted).toBe(granted);
  });

  test.each([
    [1, 0],
    [2, 0],
    [3, 3],
  ])('section 5.4.2: entries up to %i on a majority commit, by counting, those up to %i', (stored, committed) => {
    const leader = new CoreDriver({ log: [1, 2], term: 2, config: { maxAppendEntries: 1 } });
    leader.becomeLeader();
    expect(leader.core).toMatchObject({ term: 3, lastIndex: 3 });
    // The follower has nothing, and takes one entry at a time.
    const [probe] = leader.sent('appendEntries', 'b');
    leader.answer(probe!, { success: false, lastLog: 0, conflictIndex: 1 });
    for (let index = 1; index <= stored; index++) {
      const send = leader.sent('appendEntries', 'b').findLast(({ request }) => request.entries[0]?.index === index);
      leader.answer(send!);
    }
    expect(leader.core.commitIndex).toBe(committed);
  });
});
