import type { Configuration, Server } from '@discovery-raft/raft-core';
import { disjointQuorums, isQuorum, sameConfiguration, whyNoStep } from '../src/checkers/quorum.js';

/** Servers as text: `a b` are voters, `(c)` is a learner. */
function serversOf(text: string): Server[] {
  return text.split(' ').map((name) => {
    const id = name.replace(/[()]/g, '');
    return { id, address: `${id}.sim`, suffrage: id === name ? 'voter' : 'nonvoter' };
  });
}

/** `a b > c d` is joint. */
function configurationOf(text: string): Configuration {
  const [first, second] = text.split(' > ').map(serversOf);
  return second === undefined ? { servers: first! } : { servers: second, outgoing: first! };
}

describe('isQuorum', () => {
  test.each([
    ['a b c', 'a b', true],
    ['a b c', 'a', false],
    ['a b c d', 'a b', false],
    ['a b (c)', 'a c', false],
    ['a b c > d e', 'a b d e', true],
    ['a b c > d e', 'a d e', false],
    ['a b c > d e', 'a b c d', false],
  ])('of %s, %s: %s', (members, ids, expected) => {
    expect(isQuorum(configurationOf(members), new Set(ids.split(' ')))).toBe(expected);
  });
});

describe('disjointQuorums', () => {
  test.each(['a b c d', 'a b', 'a b c (d)', 'a b c > d e f'])('of a b c and %s: none', (next) => {
    expect(disjointQuorums(configurationOf('a b c'), configurationOf(next))).toBeNull();
  });

  test('two votes in one step are too many', () => {
    const apart = disjointQuorums(configurationOf('a b c'), configurationOf('a b c d e'));
    expect(apart).not.toBeNull();
    const [one, other] = apart!;
    expect(one.some((id) => other.includes(id))).toBe(false);
  });
});

describe('whyNoStep', () => {
  test.each([
    ['a b c', 'a b c d', null],
    ['a b c', 'a b', null],
    ['a b c', 'a b (c) (d)', null],
    ['a b c', 'a b d', '2 votes change at once'],
    ['a b c', 'a b c > c d', null],
    ['a b c > c d', 'c d', null],
    ['a b c > c d', 'c d e', 'a joint configuration is only left for its new half'],
    ['a b c', 'a b > c d', 'the old half of a joint configuration is another'],
  ])('%s to %s: %s', (before, after, expected) => {
    expect(whyNoStep(configurationOf(before), configurationOf(after))).toBe(expected);
  });
});

test('the order of servers does not matter, their votes do', () => {
  expect(sameConfiguration(configurationOf('a b'), configurationOf('b a'))).toBe(true);
  expect(sameConfiguration(configurationOf('a b'), configurationOf('a (b)'))).toBe(false);
  expect(sameConfiguration(configurationOf('a b'), configurationOf('a b > a b'))).toBe(false);
});
