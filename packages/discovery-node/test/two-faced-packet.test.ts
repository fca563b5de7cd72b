import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryListingSchema } from '@discovery-raft/protocol';
import { buildSignedMessage } from '@discovery-raft/psp-pki';
import { SLOT_SECONDS, TestCluster } from './fixtures/cluster.js';
import { itemBytes, NOON, relay, VERSION } from './fixtures/people.js';

const EVE = relay('eve');
const VICTIM = relay('victim');
const REGION_BYTES = 506;

/** Two bytes that are the length of a field, 506, to who reads an item, and the tag of a field to who reads a listing. */
const LENGTH_AND_TAG = [0xfa, 0x03];

/**
 * A packet with an item that is in order, which as protobuf is a listing: the byte in front of a signed message and the length
 * behind it are a field that is skipped, then come the fields of the listing, in what the item has as a field that nobody
 * knows, and the rest is in a last field of the listing.
 */
function twoFaced(listing: Uint8Array): Uint8Array {
  const own = itemBytes(EVE.identity);
  const behind = (bytes: number): number[] => [0xfa, 0x07, (bytes & 0x7f) | 0x80, bytes >> 7];
  const message = (rest: number): Uint8Array => {
    const region = new Uint8Array(REGION_BYTES);
    region.set([0, ...listing, ...behind(rest)]);
    return Uint8Array.from([0x7a, ...LENGTH_AND_TAG, ...region, ...own]);
  };
  const build = (rest: number): Uint8Array =>
    buildSignedMessage({ certificate: EVE.certificate, key: EVE.key, message: message(rest) });
  const begin = 5 + 3 + 1 + listing.length + 4;
  return build(build(0).length - begin);
}

test('a packet that is a listing as well gets no signature of a node: it would be one on a directory', async () => {
  const evil = itemBytes(VICTIM.identity, { address: ['203.0.113.66:1'] });
  const listing = toBinary(
    DiscoveryListingSchema,
    create(DiscoveryListingSchema, {
      version: VERSION,
      items: [evil],
      creation: BigInt(NOON),
      expiration: BigInt(NOON + 3 * SLOT_SECONDS),
    }),
  );
  const packet = twoFaced(listing);
  // That is what a client sees who reads it as a directory; whoever signed it is not told apart.
  expect(fromBinary(DiscoveryListingSchema, packet)).toMatchObject({ version: VERSION, items: [evil] });
  const cluster = new TestCluster(3);
  await cluster.start();
  try {
    const leader = await cluster.elected();
    for (const node of cluster.nodes) {
      const { client } = cluster.connect(node);
      const receipt = await cluster.settle(client.publish(packet));
      expect(receipt).toEqual({ code: 'malformed', detail: 'the packet could be read as a directory' });
      client.close();
    }
    expect(leader.list.size).toBe(0);
  } finally {
    await cluster.stop();
  }
});
