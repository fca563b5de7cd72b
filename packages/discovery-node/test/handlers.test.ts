import { adminHandlers, type AdminHost } from '../src/admin/handlers.js';
import type { AdminHandlers } from '../src/admin/admin-server.js';
import type { DiscoveryNode } from '../src/index.js';
import { TestCluster } from './fixtures/cluster.js';
import { packetOf, relay } from './fixtures/people.js';

const ADA = relay('ada');
const BEN = relay('ben');

let cluster: TestCluster;

beforeEach(async () => {
  cluster = new TestCluster(3);
  await cluster.start();
});

afterEach(() => cluster.stop());

function handlersOf(node: DiscoveryNode): AdminHandlers {
  const host: AdminHost = {
    node,
    describe: () => Promise.reject(new Error('not in this test')),
    lastRound: () => null,
    addressOf: (identity) => `${cluster.identities.findIndex((one) => one.identity === identity)}.example:9100`,
    manualClock: cluster.day,
    now: () => cluster.day.seconds,
    metrics: () => Promise.resolve(''),
    reloadKeys: () => Promise.reject(new Error('not in this test')),
    stop: () => undefined,
  };
  return adminHandlers(host);
}

test('who asks a node that does not lead is told who does, and where', async () => {
  const leader = await cluster.elected();
  const follower = cluster.nodes.find((node) => node !== leader)!;
  const { identity } = leader;
  const place = cluster.identities.findIndex((one) => one.identity === identity);
  const handlers = handlersOf(follower);
  for (const asked of [
    handlers['members.remove']({ identity, timeoutMs: 1000 }),
    handlers['members.demote']({ identity, timeoutMs: 1000 }),
    handlers.transfer({ timeoutMs: 1000 }),
  ]) {
    await expect(cluster.settle(Promise.resolve(asked))).rejects.toMatchObject({
      code: 'RAFT_NOT_LEADER',
      message: expect.stringContaining(`but ${identity} at ${place}.example:9100`) as string,
    });
  }
});

test('who is no server can be neither removed nor demoted: it may be a slip of the pen', async () => {
  const handlers = handlersOf(await cluster.elected());
  for (const method of ['members.remove', 'members.demote'] as const) {
    expect(() => handlers[method]({ identity: 'nobody', timeoutMs: 1000 })).toThrow(
      expect.objectContaining({ code: 'ADMIN_NOT_ALLOWED', message: expect.stringMatching(/nobody.*members list/) }),
    );
  }
});

test('a transfer tells who leads after it', async () => {
  const old = await cluster.elected();
  const { leaderId } = await cluster.settle(Promise.resolve(handlersOf(old).transfer({ timeoutMs: 60_000 })));
  expect(leaderId).not.toBe(old.identity);
  expect(cluster.nodes.map((node) => node.identity)).toContain(leaderId);
  expect((await cluster.elected()).identity).toBe(leaderId);
});

test('the list by identity is what the whole list says of it, at the same index, and puts nothing in order for it', async () => {
  const leader = await cluster.elected();
  for (const person of [ADA, BEN]) await cluster.settle(cluster.connect(leader).client.publish(packetOf(person)));
  await cluster.until(() => leader.list.size === 2);
  const list = handlersOf(leader).list;
  const view = jest.spyOn(leader.list, 'view');
  const found = await list({ identity: BEN.identity, limit: 100 });
  expect(await list({ identity: 'nobody', limit: 100 })).toEqual({ items: [], next: null, index: found.index });
  expect(view).not.toHaveBeenCalled();
  const whole = await list({ limit: 100 });
  expect(found).toEqual({ ...whole, items: whole.items.filter(({ identity }) => identity === BEN.identity) });
  expect(found.items).toHaveLength(1);
});
