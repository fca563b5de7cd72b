import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { create } from '@bufbuild/protobuf';
import { PublishToDiscoverySchema } from '@discovery-raft/protocol';
import { ListWriter, SharedList } from '@discovery-raft/raft-log-list';
import type { ListResult } from '@discovery-raft/raft-log-list';
import { DiscoveryConsensus, listReader } from '../src/index.js';
import type { ConsensusPorts, ListLeader, RaftStatus } from '../src/index.js';
import { FakeStore, START } from './fixtures/cluster.js';
import {
  FakeSigner,
  FakeVerifier,
  VERSION,
  attesterOf,
  identityOf,
  makePacket,
  readItem,
  sha256,
} from './fixtures/fake-crypto.js';
import { VirtualTime } from './fixtures/virtual-time.js';

interface Node {
  readonly id: string;
  readonly list: SharedList;
  readonly consensus: DiscoveryConsensus;
}

const ITEMS = 4000;

/** Three nodes over the real list and the real writer; only the log between them is the test's. */
function makeNodes(time: VirtualTime): Node[] {
  const ids = [0, 1, 2].map((i) => identityOf(`d${i}`, 'discovery'));
  const nodes: Node[] = [];
  let index = 0;
  const propose = (data: Uint8Array): Promise<{ index: number; term: number; response: ListResult }> => {
    const at = ++index;
    return new Promise((resolve) => {
      setImmediate(() => {
        const entry = { index: at, term: 1, type: 0, data } as const;
        const results = nodes.map(({ list }) => list.apply(entry, { redact: () => undefined }));
        resolve({ index: at, term: 1, response: results[0]! });
      });
    });
  };
  const clock = {
    now: () => time.now * 1000,
    wallNow: () => time.now * 1000,
    setTimer: (delayMs: number, callback: () => void) => ({
      cancel: time.setTimerAt(time.now + delayMs / 1000, callback),
    }),
    defer: (callback: () => void) => void setImmediate(callback),
  };
  const schema = {
    describe: (packet: Uint8Array) => {
      const item = readItem(packet);
      return item && { identity: item.identity, expiration: Number(item.expiration) };
    },
    attester: attesterOf,
  };
  for (const id of ids) {
    const list = new SharedList({ schema, sha256: (bytes) => hash('sha256', bytes, 'binary'), crc32 });
    const writer = new ListWriter({ list, propose, clock, attestationThreshold: 3 });
    const ports: ConsensusPorts = {
      list: listReader(list),
      writer: writer satisfies ListLeader,
      channel: {
        send: async (to, message) => {
          setImmediate(() => void nodes.find((node) => node.id === to)!.consensus.onMessage(id, message));
        },
      },
      ...{
        signer: new FakeSigner(id),
        verifier: new FakeVerifier(),
        store: new FakeStore(),
        clock: time.clock(),
        sha256,
      },
    };
    const config = {
      members: ids.map((identity) => ({ identity })),
      ...{ slotSeconds: 60, sourcePublishesPerSecond: 0, maxPendingPublishes: 100_000 },
    };
    nodes.push({ id, list, consensus: new DiscoveryConsensus(config, ports) });
  }
  return nodes;
}

test('rounds over the real list, with 4,000 items published to one node or to all', async () => {
  const time = new VirtualTime(START + 1);
  const nodes = makeNodes(time);
  const status = (id: string): RaftStatus => ({
    state: id === nodes[0]!.id ? 'leader' : 'follower',
    leaderId: nodes[0]!.id,
    term: 1,
  });
  for (const { id, consensus } of nodes) {
    await consensus.start();
    consensus.raftStateChanged(status(id));
  }
  await time.advance(0.1);
  const publishes: Promise<{ code: string }>[] = [];
  for (let k = 0; k < ITEMS; k++) {
    const packet = makePacket({ name: `n${k}`, expiration: START + 3600 });
    const message = create(PublishToDiscoverySchema, { version: VERSION, signedDiscoveryItem: packet });
    for (const node of k % 10 === 0 ? [nodes[k % 3]!] : nodes) {
      publishes.push(node.consensus.onReceivedPublishToDiscovery({ source: 's' }, message));
    }
  }
  const outcomes = await Promise.all(publishes);
  expect(outcomes.every(({ code }) => code === 'accepted')).toBe(true);
  await time.advance(120);
  for (const { consensus, list } of nodes) {
    expect(list.size).toBe(ITEMS);
    expect(consensus.counters.pendingForwards).toBe(0);
    const directory = await consensus.getDirectory();
    expect(directory?.items).toBe(ITEMS);
    expect(directory?.directory.signatures).toHaveLength(3);
  }
  expect(nodes[0]!.list.get(identityOf('n0'))[0]?.attestations).toHaveLength(3);
}, 60_000);
