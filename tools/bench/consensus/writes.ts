import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { create } from '@bufbuild/protobuf';
import { DiscoveryConsensus, listReader, type DiscoveryMessage } from '@discovery-raft/discovery-consensus-fsm';
import { PublishToDiscoverySchema } from '@discovery-raft/protocol';
import { EntryType, systemClock } from '@discovery-raft/raft-core';
import { ListWriter, SharedList } from '@discovery-raft/raft-log-list';
import { attestationOf, itemSchema, ItemVerifier, packetOf } from './items.js';

const VERSION = 'xpx-discovery-1.0';
const MEMBERS = Array.from({ length: 5 }, (_, i) => `xpx.discovery.node.d${i}`);
const ITEMS = 300;
/** A message takes up to so long, and a publisher reaches one node so much later than another, milliseconds. */
const LONGEST_HOP_MS = 10;
const HOUR_SECONDS = 3600;

/** Log entries for an item. */
export interface WritesPerItem {
  /** Its first publish. */
  readonly first: number;
  /** A newer packet of an item that is listed: the older one leaves with it. */
  readonly refresh: number;
  /** What one entry for each attestation comes to. */
  readonly perAttestation: number;
}

/** A log that all nodes apply in the same turn. Only its entries are of interest here. */
class Log {
  readonly lists = MEMBERS.map(
    () => new SharedList({ schema: itemSchema, sha256: (bytes) => hash('sha256', bytes, 'binary'), crc32 }),
  );
  entries = 0;

  readonly propose = async (data: Uint8Array) => {
    const entry = { index: ++this.entries, term: 1, type: EntryType.command, data };
    const [response] = this.lists.map((list) => list.apply(entry, { redact() {} }));
    return { index: entry.index, response: response! };
  };
}

/** Counts what five consensus nodes write when publishers send each item to all of them. */
export async function writesPerItem(): Promise<WritesPerItem> {
  const log = new Log();
  const nodes: DiscoveryConsensus[] = [];
  const later = (act: () => void, i: number): void => void setTimeout(act, 1 + (i % LONGEST_HOP_MS));
  MEMBERS.forEach((self, at) => {
    const list = log.lists[at]!;
    const writer = new ListWriter({
      list,
      clock: systemClock,
      attestationThreshold: 3,
      attesters: 5,
      propose: log.propose,
    });
    let sent = 0;
    const send = async (to: string, message: DiscoveryMessage): Promise<void> =>
      later(() => void nodes[MEMBERS.indexOf(to)]!.onMessage(self, message), sent++ * 7);
    nodes.push(
      new DiscoveryConsensus(
        { members: MEMBERS.map((identity) => ({ identity })), slotSeconds: 86_400, sourcePublishesPerSecond: 0 },
        {
          list: listReader(list),
          writer: {
            upsert: (packet, attestation) => writer.upsert(packet, attestation),
            expire: (nowSeconds) => writer.expire(Math.floor(nowSeconds)),
            freeze: (round) => writer.freeze(round),
            takeOver: () => writer.takeOver(),
            stepDown: () => writer.stepDown(),
          },
          channel: { send },
          signer: { identity: self, sign: async (bytes) => attestationOf(self, bytes) },
          verifier: new ItemVerifier({
            verifyPacket: async () => ({ ok: false, code: 'none' }),
            verifySignature: async () => ({ ok: false, code: 'none' }),
          }),
          store: {
            load: async () => ({ directory: null, signed: null }),
            saveDirectory: async () => undefined,
            recordSigned: async () => undefined,
          },
          clock: systemClock,
          sha256: (bytes) => hash('sha256', bytes, 'buffer'),
        },
      ),
    );
  });
  for (const node of nodes) await node.start();
  nodes.forEach((node, i) =>
    node.raftStateChanged({ state: i === 0 ? 'leader' : 'follower', leaderId: MEMBERS[0]!, term: 1 }),
  );
  await pause(100);
  const cycle = async (expiration: number): Promise<number> => {
    const before = log.entries;
    for (let item = 0; item < ITEMS; item++) {
      const body = create(PublishToDiscoverySchema, {
        version: VERSION,
        signedDiscoveryItem: packetOf(item, expiration),
      });
      nodes.forEach((node, at) =>
        later(() => void node.onReceivedPublishToDiscovery({ source: 'relay' }, body), item * 5 + at * 3),
      );
      if (item % 20 === 0) await pause(5);
    }
    for (let look = 0; look < 400 && !isComplete(log.lists[0]!, expiration); look++) await pause(25);
    if (!isComplete(log.lists[0]!, expiration)) throw new Error('not every item has all attestations');
    return (log.entries - before) / ITEMS;
  };
  const now = Math.floor(Date.now() / 1000);
  const first = await cycle(now + HOUR_SECONDS);
  const refresh = await cycle(now + 2 * HOUR_SECONDS);
  for (const node of nodes) node.shutdown();
  return { first, refresh, perAttestation: MEMBERS.length };
}

/** Whether every item is there once, in this version, with the word of each member. */
function isComplete(list: SharedList, expiration: number): boolean {
  const records = [...list.entries()];
  return (
    records.length === ITEMS &&
    records.every((record) => record.expiration === expiration && record.attestations.length === MEMBERS.length)
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
