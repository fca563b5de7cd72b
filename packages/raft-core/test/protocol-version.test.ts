// Who speaks another version of the protocol is not understood, whatever it seems to say.
import { PROTOCOL_VERSION } from '../src/index.js';
import { TestCluster } from './support/test-cluster.js';

let cluster: TestCluster;
afterEach(() => cluster.shutdown());

const header = (id: string, protocolVersion: number) => ({ id, address: `address-of-${id}`, protocolVersion });

test.each([0, 2, PROTOCOL_VERSION + 1])(
  'a request of version %i is refused and counted, and changes nothing',
  async (version) => {
    cluster = await TestCluster.start(3);
    const leader = await cluster.leader();
    const { term } = leader.raft;
    const request = {
      kind: 'requestVote',
      header: header('b', version),
      term: term + 5,
      lastLogIndex: 100,
      lastLogTerm: term + 4,
      leadershipTransfer: true,
    } as const;
    await expect(cluster.network.handle(leader.id, request)).rejects.toMatchObject({
      code: 'RAFT_UNSUPPORTED_PROTOCOL',
      retryable: false,
      details: { protocolVersion: version, supported: PROTOCOL_VERSION },
    });
    expect(leader.raft).toMatchObject({ state: 'leader', term });
    expect(leader.raft.metrics().messagesUnsupported).toBe(1);
  },
);

test('a response of another version counts as a failure of the request', async () => {
  cluster = await TestCluster.start(3);
  const leader = await cluster.leader();
  const other = cluster.up.find(({ id }) => id !== leader.id)!;
  cluster.network.filter = (from, _to, message) => {
    if (from === other.id) Object.assign(message, { header: header(other.id, PROTOCOL_VERSION + 1), term: 1000 });
    return true;
  };
  await cluster.clock.advance(1000);
  expect(leader.raft.state).toBe('leader');
  expect(leader.raft.term).toBeLessThan(1000);
  expect(leader.raft.metrics().messagesUnsupported).toBeGreaterThan(0);
  expect(leader.raft.metrics().heartbeatsFailed).toBe(1);
});
