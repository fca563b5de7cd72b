import { ConfigurationHistory } from '../src/core/configuration.js';
import { excuseLateness, quorumInTouch } from '../src/core/lateness.js';
import { startLeading } from '../src/core/leadership.js';
import { CoreLog } from '../src/core/log.js';
import { CoreNode, type LeaderRole } from '../src/core/node.js';
import { DEFAULT_RAFT_CONFIG } from '../src/core/options.js';
import { TermRuns } from '../src/core/term-runs.js';

function makeNode(): CoreNode {
  const servers = ['a', 'b', 'c'].map((id) => ({ id, address: id, suffrage: 'voter' as const }));
  return new CoreNode({
    id: 'a',
    address: 'a',
    config: DEFAULT_RAFT_CONFIG,
    term: 1,
    votedFor: null,
    log: new CoreLog(new TermRuns(0, 0), 1 << 20),
    configurations: new ConfigurationHistory({ index: 0, configuration: { servers } }),
    commitIndex: 0,
  });
}

function makeLeader(node: CoreNode): LeaderRole {
  const role = startLeading(node);
  node.role = role;
  return role;
}

describe('a timer that fires late', () => {
  test('does not depose a leader before it has read what waits', () => {
    const node = makeNode();
    const leader = makeLeader(node);
    node.now = 2000;
    expect(quorumInTouch(node, leader)).toBe(true);
    for (const progress of leader.progress.values()) progress.lastContact = 2001;
    node.now = leader.checkQuorumAt;
    expect(quorumInTouch(node, leader)).toBe(true);
  });

  test('deposes a leader at the second look, however late that is', () => {
    const node = makeNode();
    const leader = makeLeader(node);
    node.now = 2000;
    expect(quorumInTouch(node, leader)).toBe(true);
    node.now = 9000;
    expect(quorumInTouch(node, leader)).toBe(false);
  });

  test('puts an election off once', () => {
    const node = makeNode();
    node.electionAt = 1000;
    node.now = 1500;
    expect(excuseLateness(node)).toBe(true);
    expect(node.electionAt).toBeGreaterThan(1500);
    node.now = 5000;
    expect(excuseLateness(node)).toBe(false);
  });
});

describe('a timer that fires in time', () => {
  test('deposes a leader that no quorum answers', () => {
    const node = makeNode();
    const leader = makeLeader(node);
    node.now = leader.checkQuorumAt;
    expect(quorumInTouch(node, leader)).toBe(false);
  });

  test('starts the election', () => {
    const node = makeNode();
    node.electionAt = 1000;
    node.now = 1000;
    expect(excuseLateness(node)).toBe(false);
  });
});
