import { hash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryListingSchema } from '@discovery-raft/protocol';
import { SigningKey, VerifyingKey } from '@discovery-raft/psp-pki';
import { packetOf } from './items.js';

/** Of each item: the publisher's signature and three attestations; certificates count as known. */
const SIGNATURES_PER_ITEM = 4;
const SAMPLES = 2000;

/**
 * CPU in milliseconds of a vote that keeps nothing between rounds: it verifies every signature, sorts the items and encodes
 * them. The verifications are measured on a sample and multiplied; all else is done.
 */
export function naiveVoteMs(items: number, listing: Uint8Array): number {
  const key = SigningKey.fromSeed(new Uint8Array(32).fill(7));
  const publicKey = VerifyingKey.fromBytes(key.publicKey);
  const packet = packetOf(0, 1);
  const signature = key.sign(packet);
  const verifying = cpuMs(() => {
    for (let i = 0; i < SAMPLES; i++) if (!publicKey.verify(packet, signature)) throw new Error('it must verify');
  });
  const relays = Array.from({ length: items }, (_, i) => ({
    identity: `xpx.onion.node.${hash('sha256', String(i), 'base64url')}`,
    item: packet.subarray(2, 280),
  }));
  const rest = cpuMs(() => {
    const newest = new Map(relays.map((relay) => [relay.identity, relay]));
    const sorted = [...newest.values()].sort((a, b) =>
      Buffer.compare(Buffer.from(a.identity), Buffer.from(b.identity)),
    );
    const bytes = toBinary(
      DiscoveryListingSchema,
      create(DiscoveryListingSchema, { version: 'v', items: sorted.map(({ item }) => item), creation: 1n }),
    );
    hash('sha256', bytes, 'buffer');
    key.sign(listing);
  });
  return (verifying * items * SIGNATURES_PER_ITEM) / SAMPLES + rest;
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
