/** The intents of hashicorp/raft's fuzzy tests, seeded and in virtual time; the simulator goes much further. */
import { seededRandom, type Random, type RpcRequest, type Server } from '../../src/index.js';
import { TestCluster, type TestServer } from '../support/test-cluster.js';
import { addressOf, applyLines, followersOf, settled } from './acts.js';

const SEEDS = [1, 2];

/** Applies lines one after the other at whoever leads, until told to stop; remembers what was acknowledged. */
class Client {
  readonly acknowledged: string[] = [];
  #running = true;
  #count = 0;
  readonly #done: Promise<void>;

  constructor(cluster: TestCluster) {
    this.#done = this.#run(cluster);
  }

  async #run(cluster: TestCluster): Promise<void> {
    while (this.#running) {
      await new Promise<void>((resolve) => cluster.clock.setTimer(25, resolve));
      const leader = cluster.up.find(({ raft }) => raft.state === 'leader');
      if (leader === undefined) continue;
      const line = `client ${this.#count++}`;
      await leader.raft.apply(Buffer.from(line), { timeoutMs: 1000 }).then(
        () => this.acknowledged.push(line),
        () => undefined,
      );
    }
  }

  stop(): Promise<void> {
    this.#running = false;
    return this.#done;
  }
}

describe('fuzzy', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.shutdown());

  async function expectKept(client: Client): Promise<void> {
    await settled(cluster, client.stop());
    await cluster.apply('the end');
    const lines = await cluster.converge();
    expect(lines).toEqual(expect.arrayContaining(client.acknowledged));
    expect(new Set(lines).size).toBe(lines.length);
    expect(client.acknowledged.length).toBeGreaterThan(20);
  }

  test('five servers without trouble', async () => {
    cluster = await TestCluster.start(5);
    for (let i = 0; i < 5; i++) await applyLines(cluster, 1000, i * 1000);
    expect(await cluster.converge()).toHaveLength(5000);
  });

  test.each(SEEDS)('seed %i: the leader and another are cut off, again and again', async (seed) => {
    cluster = await TestCluster.start(5, { seed });
    const random = seededRandom(seed);
    await cluster.leader();
    const client = new Client(cluster);
    for (let i = 0; i < 5; i++) {
      await cluster.clock.advance(1500);
      const leader = cluster.up.find(({ raft }) => raft.state === 'leader');
      if (leader === undefined) continue;
      const other = pick(
        random,
        cluster.up.filter((server) => server !== leader),
      );
      const group = new Set([leader.id, other.id]);
      for (const a of group) for (const { id } of cluster.up) if (!group.has(id)) cluster.network.cut(a, id);
      await cluster.clock.advance(3000);
      if (random.next() < 0.8) cluster.network.heal();
    }
    cluster.network.heal();
    await expectKept(client);
  });

  test.each(SEEDS)('seed %i: leadership is handed over under load', async (seed) => {
    cluster = await TestCluster.start(5, { seed });
    await cluster.leader();
    const client = new Client(cluster);
    for (let i = 0; i < 5; i++) {
      await cluster.clock.advance(1000);
      const old = await cluster.leader();
      await settled(cluster, old.raft.leadershipTransfer());
      expect((await cluster.leader()).id).not.toBe(old.id);
    }
    await expectKept(client);
  });

  test.each(['requests', 'answers'] as const)('votes are slow: the %s of some servers', async (slow) => {
    cluster = await TestCluster.start(0);
    slowVotes(cluster, slow, slow === 'requests' ? ['a', 'b'] : ['b', 'd', 'e']);
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const servers = ids.map((id) => ({ id, address: addressOf(id), suffrage: 'voter' as const }));
    for (const id of ids) {
      await cluster.add(id);
      await cluster.raft(id).bootstrap({ servers });
    }
    await cluster.leader(120_000);
    const client = new Client(cluster);
    await cluster.clock.advance(2500);
    await cluster.stop((await cluster.leader()).id);
    await cluster.leader(120_000);
    await cluster.clock.advance(2500);
    await expectKept(client);
  });

  test('a cluster grows from three to five under load', async () => {
    cluster = await TestCluster.start(3);
    const client = await begun();
    for (const id of ['d', 'e']) await join(id);
    await cluster.clock.advance(2500);
    await expectKept(client);
    expect(cluster.up).toHaveLength(5);
  });

  test('a cluster grows from three to five and shrinks to three; the leader stays', async () => {
    cluster = await TestCluster.start(3);
    const client = await begun();
    for (const id of ['d', 'e']) await join(id);
    const leader = await cluster.leader();
    for (const gone of (await followersOf(cluster)).slice(0, 2)) await remove(leader, gone);
    await expectKept(client);
    expect((await cluster.leader()).id).toBe(leader.id);
  });

  test('of five the leader is removed under load', async () => {
    cluster = await TestCluster.start(5);
    const client = await begun();
    const old = await cluster.leader();
    await remove(old, old);
    await cluster.clock.advance(2500);
    await expectKept(client);
    expect((await cluster.leader()).id).not.toBe(old.id);
  });

  test('a server is cut off and then removed; it disturbs nobody when it is back', async () => {
    cluster = await TestCluster.start(5);
    const client = await begun();
    const leader = await cluster.leader();
    const victim = (await followersOf(cluster)).at(-1)!;
    cluster.network.isolate(victim.id);
    await cluster.clock.advance(3000);
    await remove(leader, victim);
    await cluster.clock.advance(3000);
    cluster.network.heal();
    await cluster.clock.advance(2500);
    expect((await cluster.leader()).id).toBe(leader.id);
    await expectKept(client);
  });

  async function begun(): Promise<Client> {
    await applyLines(cluster, 100);
    const client = new Client(cluster);
    await cluster.clock.advance(1000);
    return client;
  }

  async function join(id: string): Promise<void> {
    await cluster.add(id);
    const { raft } = await cluster.leader();
    await settled(cluster, raft.addVoter(id, addressOf(id)));
  }

  async function remove(leader: TestServer, gone: TestServer): Promise<void> {
    await settled(cluster, leader.raft.removeServer(gone.id));
    gone.up = false;
  }
});

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random.next() * items.length)]!;
}

/** Puts 1 to 2 s on the way of votes to the given servers, or on the way of their answers. */
function slowVotes(cluster: TestCluster, slow: 'requests' | 'answers', ids: readonly string[]): void {
  const { network, clock, random } = cluster;
  const wait = (): Promise<void> => new Promise((resolve) => clock.setTimer(1000 + 1000 * random.next(), resolve));
  const transport = network.transport.bind(network);
  network.transport = (id) => {
    const inner = transport(id);
    const send = async <R extends RpcRequest>(target: Server, request: R, timeoutMs: number) => {
      const isSlow = request.kind === 'requestVote' && ids.includes(target.id);
      if (isSlow && slow === 'requests') await wait();
      const answer = await inner.send(target, request, timeoutMs);
      if (isSlow && slow === 'answers') await wait();
      return answer;
    };
    return { ...inner, send };
  };
}
