import { seededRandom, SimulatedClock } from '@discovery-raft/raft-core';
import { formatFingerprint } from '@discovery-raft/psp-pki';
import {
  LinkError,
  LinkKeeper,
  type ConnectOptions,
  type LinkKeeperOptions,
  type LinkPeer,
  type PeerLink,
  type PspConnection,
} from '../src/index.js';
import { backoffMs } from '../src/keeper/backoff.js';
import { credentialsOf } from './fixtures/credentials.js';
import { connectionOn, wirePair, type MemoryWire } from './fixtures/memory-wire.js';

const HANDSHAKE_MS = 20;
const credentials = credentialsOf('anybody');

/** A node of the virtual network; its fingerprint is one repeated byte, so names order as their numbers. */
interface Node {
  readonly name: string;
  readonly fingerprint: Uint8Array;
  readonly keeper: LinkKeeper;
  /** Links in the order in which they were announced, with how they ended. */
  readonly links: { readonly peer: string; readonly link: PeerLink; end?: string | null }[];
}

/** Keepers that dial each other over wires in memory. */
class VirtualNetwork {
  readonly clock = new SimulatedClock();
  readonly nodes = new Map<string, Node>();
  readonly wires: (readonly [MemoryWire, MemoryWire])[] = [];
  /** Pairs `from>to` that cannot be dialled. */
  readonly cut = new Set<string>();

  add(name: string, number: number, peers: readonly LinkPeer[], more: Partial<LinkKeeperOptions> = {}): Node {
    const fingerprint = new Uint8Array(32).fill(number);
    const keeper = new LinkKeeper({
      self: formatFingerprint(fingerprint),
      credentials,
      peers,
      clock: this.clock,
      random: seededRandom(number),
      connect: (options) => this.#connect(name, options),
      ...more,
    });
    const node: Node = { name, fingerprint, keeper, links: [] };
    keeper.onLink((peer, link) => {
      const seen: Node['links'][number] = { peer, link };
      node.links.push(seen);
      link.onClose((error) => (seen.end = error?.code ?? null));
    });
    this.nodes.set(name, node);
    return node;
  }

  async #connect(from: string, { host, signal, expectedFingerprint }: ConnectOptions): Promise<PspConnection> {
    await new Promise<void>((resolve) => this.clock.setTimer(HANDSHAKE_MS, resolve));
    if (signal?.aborted === true) throw new LinkError('LINK_ABORTED', 'given up');
    const dialler = this.nodes.get(from)!;
    const target = this.nodes.get(host);
    if (target === undefined || this.cut.has(`${from}>${host}`)) throw new LinkError('LINK_UNREACHABLE', 'cut');
    if (expectedFingerprint !== formatFingerprint(target.fingerprint)) {
      throw new LinkError('LINK_UNTRUSTED_PEER', 'another node answered');
    }
    const pair = wirePair(this.clock);
    this.wires.push(pair);
    const near = connectionOn(pair[0], this.clock, { initiator: true, fingerprint: target.fingerprint });
    const far = connectionOn(pair[1], this.clock, { initiator: false, fingerprint: dialler.fingerprint });
    target.keeper.accept(far);
    far.start();
    near.start();
    return near;
  }
}

function peer(name: string, number: number): LinkPeer {
  return { id: name, host: name, port: 1, fingerprint: formatFingerprint(new Uint8Array(32).fill(number)) };
}

const A = peer('a', 1);
const B = peer('b', 2);
let network: VirtualNetwork;

beforeEach(() => {
  network = new VirtualNetwork();
});

function twoNodes(): readonly [Node, Node] {
  return [network.add('a', 1, [B]), network.add('b', 2, [A])];
}

/** The links that are up, and whether both ends speak of the same. */
async function theOneLink(a: Node, b: Node): Promise<void> {
  const [atA, atB] = [a, b].map(({ links }) => links.filter(({ end }) => end === undefined));
  expect([atA!.length, atB!.length]).toEqual([1, 1]);
  const got: number[] = [];
  atB![0]!.link.main.onPiece((piece) => got.push(piece[0]!));
  atB![0]!.link.bulk.onPiece((piece) => got.push(piece[0]!));
  const sent = Promise.all([atA![0]!.link.main.send([Uint8Array.of(1)]), atA![0]!.link.bulk.send([Uint8Array.of(2)])]);
  await network.clock.advance(100);
  await sent;
  expect(got.sort()).toEqual([1, 2]);
}

describe('LinkKeeper', () => {
  test('links two nodes once, and the smaller fingerprint dials', async () => {
    const [a, b] = twoNodes();
    expect(a.keeper.state('b')).toEqual({ status: 'backoff', until: 0, failures: 0, lastError: null });
    await network.clock.advance(10);
    expect(a.keeper.state('b')).toMatchObject({ status: 'connecting', since: 0 });
    await network.clock.advance(1000);
    expect(a.keeper.state('b')).toMatchObject({ status: 'up', initiator: true });
    expect(b.keeper.state('a')).toMatchObject({ status: 'up', initiator: false });
    expect([a.keeper.counters.dialled, b.keeper.counters.dialled]).toEqual([1, 0]);
    await theOneLink(a, b);
  });

  test('the larger fingerprint dials when the smaller cannot', async () => {
    network.cut.add('a>b');
    const [a, b] = twoNodes();
    await network.clock.advance(1000);
    expect(b.keeper.state('a')).toMatchObject({ status: 'up', initiator: true });
    expect(a.keeper.state('b')).toMatchObject({ status: 'up', initiator: false });
    await theOneLink(a, b);
  });

  test.each(['smaller first', 'larger first', 'together'])(
    'when both dial, the connection of the smaller fingerprint stays: %s',
    async (order) => {
      const [a, b] = twoNodes();
      a.keeper.setPeers([]);
      b.keeper.setPeers([]);
      // By hand, so that the connections come as the test wants them.
      const dial = (from: Node, to: LinkPeer): void => from.keeper.setPeers([to]);
      if (order === 'together') {
        network.clock.setTimer(250, () => dial(a, B));
        dial(b, A);
      } else if (order === 'smaller first') {
        network.clock.setTimer(235, () => dial(a, B));
        dial(b, A);
      } else {
        network.clock.setTimer(265, () => dial(a, B));
        dial(b, A);
      }
      await network.clock.advance(3000);
      expect(a.keeper.state('b')).toMatchObject({ status: 'up', initiator: true });
      expect(b.keeper.state('a')).toMatchObject({ status: 'up', initiator: false });
      await theOneLink(a, b);
    },
  );

  test('a link that breaks is made anew, and is announced anew', async () => {
    const [a, b] = twoNodes();
    await network.clock.advance(10_000);
    network.wires[0]![0].close(new LinkError('LINK_CONNECTION_CLOSED', 'cut'));
    await network.clock.advance(1000);
    expect(a.links.map(({ end }) => end)).toEqual(['LINK_CONNECTION_CLOSED', undefined]);
    expect(b.links).toHaveLength(2);
    expect(a.keeper.state('b')).toMatchObject({ status: 'up', failures: 0, lastError: 'LINK_CONNECTION_CLOSED' });
    await theOneLink(a, b);
  });

  test('a peer that has lost its end gets a new link at once, though the old one looks alive', async () => {
    const [a] = twoNodes();
    await network.clock.advance(30_000);
    // The machine of b is replaced: nothing tells a.
    network.nodes.get('b')!.keeper.close = () => {};
    const silent = network.wires[0]!;
    silent[0].onWrite = () => {};
    silent[1].onWrite = () => {};
    silent[0].onClosed = () => {};
    silent[1].onClosed = () => {};
    const b = network.add('b', 2, [A]);
    await network.clock.advance(2000);
    expect(b.keeper.state('a')).toMatchObject({ status: 'up', initiator: true });
    expect(a.keeper.state('b')).toMatchObject({ status: 'up', initiator: false });
    expect(a.links[0]).toMatchObject({ end: 'LINK_REPLACED' });
    expect(a.keeper.counters).toMatchObject({ replaced: 1, linked: 2 });
  });

  test('waits longer after each failure, up to the limit, and not at all alike', async () => {
    const a = network.add('a', 1, [B], { minBackoffMs: 100, maxBackoffMs: 2000 });
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      await network.clock.advanceUntil(() => a.keeper.counters.failed.LINK_UNREACHABLE === i + 1, 60_000);
      const state = a.keeper.state('b')!;
      expect(state).toMatchObject({ status: 'backoff', failures: i + 1, lastError: 'LINK_UNREACHABLE' });
      if (state.status === 'backoff') waits.push(state.until - network.clock.now());
    }
    waits.forEach((wait, i) => {
      const full = Math.min(100 * 2 ** i, 2000);
      expect(wait).toBeGreaterThanOrEqual(full / 2);
      expect(wait).toBeLessThanOrEqual(full);
    });
    expect(new Set(waits.slice(-4)).size).toBe(4);
    expect(backoffMs(10_000, { minBackoffMs: 100, maxBackoffMs: 2000 }, { next: () => 1 })).toBe(2000);
  });

  test('a link that flaps every 200 ms is not dialled every 200 ms, and comes back when it holds', async () => {
    const [a, b] = twoNodes();
    let flapping = true;
    const flap = (): void => {
      for (const [wire] of network.wires) wire.close(new LinkError('LINK_CONNECTION_CLOSED', 'flap'));
      if (flapping) network.clock.setTimer(200, flap);
    };
    network.clock.setTimer(200, flap);
    await network.clock.advance(60_000);
    const dialled = a.keeper.counters.dialled + b.keeper.counters.dialled;
    expect(dialled).toBeLessThan(60);
    expect(dialled).toBeGreaterThan(10);
    flapping = false;
    await network.clock.advance(6_000);
    expect([a.keeper.state('b')?.status, b.keeper.state('a')?.status]).toEqual(['up', 'up']);
    await theOneLink(a, b);
  });

  test('strangers and anonymous peers are refused', async () => {
    const a = network.add('a', 1, [B]);
    const outsider = network.add('c', 3, [A], { maxBackoffMs: 500 });
    await network.clock.advance(5000);
    expect(outsider.keeper.state('a')).toMatchObject({ status: 'backoff' });
    expect(a.keeper.counters.failed.LINK_UNTRUSTED_PEER).toBeGreaterThan(3);
    expect(a.links).toEqual([]);
    const [wire] = wirePair(network.clock);
    const anonymous = connectionOn(wire, network.clock, { initiator: false });
    anonymous.start();
    a.keeper.accept(anonymous);
    expect(anonymous.open).toBe(false);
    expect([a.keeper.isPeer(B.fingerprint), a.keeper.isPeer('C'.repeat(64))]).toEqual([true, false]);
  });

  test('peers may come, move, change their key and go', async () => {
    network.cut.add('b>a');
    const a = network.add('a', 1, []);
    const b = network.add('b', 2, [A]);
    await network.clock.advance(1000);
    expect(b.keeper.state('a')?.status).not.toBe('up');
    a.keeper.setPeers([{ ...B, host: 'nowhere' }]);
    await network.clock.advance(30);
    expect(a.keeper.state('b')).toMatchObject({ lastError: 'LINK_UNREACHABLE' });
    a.keeper.setPeers([B]);
    await network.clock.advance(50);
    expect(a.keeper.state('b')?.status).toBe('up');
    a.keeper.setPeers([{ ...B, port: 2 }]);
    await network.clock.advance(50);
    expect(a.links).toHaveLength(1);
    a.keeper.setPeers([{ ...B, fingerprint: '05'.repeat(32) }]);
    await network.clock.advance(50);
    expect(a.links[0]?.end).toBeNull();
    expect(a.keeper.state('b')?.status).not.toBe('up');
    a.keeper.setPeers([]);
    expect([a.keeper.state('b'), a.keeper.peers()]).toEqual([undefined, []]);
    for (const peers of [[A], [B, B], [B, { ...B, id: 'twin' }]]) {
      expect(() => a.keeper.setPeers(peers)).toThrow('[LINK_INVALID_OPTION]');
    }
  });

  test('a peer that offers one stream is linked with that one for both', async () => {
    const a = network.add('a', 1, [B]);
    network.cut.add('a>b');
    const [near, far] = wirePair(network.clock);
    const fingerprint = new Uint8Array(32).fill(2);
    const accepted = connectionOn(far, network.clock, { initiator: false, fingerprint });
    const old = connectionOn(near, network.clock, { initiator: true, fingerprint: a.fingerprint });
    a.keeper.accept(accepted);
    accepted.start();
    old.start();
    void old.openStream(2);
    await network.clock.advance(2000);
    expect(a.links).toHaveLength(1);
    expect(a.links[0]!.link.bulk).toBe(a.links[0]!.link.main);
    const late = old.openStream(2);
    await network.clock.advance(10);
    expect((await late).open).toBe(false);
  });

  test('a peer that opens no stream is let go', async () => {
    const a = network.add('a', 1, [B]);
    const [near, far] = wirePair(network.clock);
    const accepted = connectionOn(far, network.clock, { initiator: false, fingerprint: new Uint8Array(32).fill(2) });
    a.keeper.accept(accepted);
    accepted.start();
    near.attach({ data: () => {}, closed: () => {} });
    await network.clock.advance(6000);
    expect(accepted.open).toBe(false);
    expect(a.keeper.counters.failed.LINK_TIMEOUT).toBe(1);
  });

  test('a listener that throws loses its link, and the keeper goes on', async () => {
    const [a, b] = twoNodes();
    let thrown = 0;
    b.keeper.onLink(() => {
      if (thrown++ === 0) throw new Error('not now');
    });
    await network.clock.advance(5000);
    expect(thrown).toBe(2);
    expect([a.keeper.state('b')?.status, b.keeper.state('a')?.status]).toEqual(['up', 'up']);
  });

  test('closing ends every link in order, and nothing is dialled any more', async () => {
    const [a, b] = twoNodes();
    await network.clock.advance(1000);
    a.keeper.close();
    a.keeper.close();
    await network.clock.advance(100);
    expect([a.links[0]?.end, b.links[0]?.end]).toEqual([null, null]);
    const { dialled } = a.keeper.counters;
    await network.clock.advance(60_000);
    expect(a.keeper.counters.dialled).toBe(dialled);
    expect(a.keeper.state('b')).toBeUndefined();
    expect(b.keeper.state('a')?.status).not.toBe('up');
  });
});
