import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { DiscoveryItemSchema } from '@discovery-raft/protocol';
import { directoryQuorum, itemShapeFault, PUBLISH_CODES, publishCodeOf, readDiscoveryItem } from '../src/index.js';

const GOOD = {
  version: 'xpx-discovery-1.0',
  identity: 'xpx.onion.node.abc',
  fingerprint: 'AB'.repeat(32),
  handshake: 'CD'.repeat(32),
  mode: 'onion',
  address: ['192.0.2.1:9001', '[2001:db8::1]:65535', 'relay.example:1'],
  expiration: 1n,
};

test.each<[string, string | undefined, MessageInitShape<typeof DiscoveryItemSchema>]>([
  ['nothing', undefined, {}],
  ['an empty identity', 'malformed', { identity: '' }],
  ['an identity with a blank', 'malformed', { identity: 'a b' }],
  ['a long identity', 'malformed', { identity: 'a'.repeat(256) }],
  ['a fingerprint in lower case', 'badFingerprint', { fingerprint: 'ab'.repeat(32) }],
  ['a short handshake', 'badHandshake', { handshake: 'AB' }],
  ['no address', 'badAddress', { address: [] }],
  ['nine addresses', 'badAddress', { address: Array.from({ length: 9 }, () => 'a:1') }],
  ['port 0', 'badAddress', { address: ['a:0'] }],
  ['port 65536', 'badAddress', { address: ['a:65536'] }],
  ['no port', 'badAddress', { address: ['192.0.2.1'] }],
  ['an address of megabytes', 'badAddress', { address: [`${'a'.repeat(1_000_000)}:1`] }],
  ['an expiration beyond numbers', 'malformed', { expiration: 1n << 60n }],
])('an item with %s', (_, code, fields) => {
  expect(itemShapeFault(create(DiscoveryItemSchema, { ...GOOD, ...fields }))?.code).toBe(code);
});

test('an item is read, without what it does not know; bytes that are none are no item', () => {
  const bytes = toBinary(DiscoveryItemSchema, create(DiscoveryItemSchema, GOOD));
  const unknown = Uint8Array.of(0xfa, 0x01, 0x00);
  const item = readDiscoveryItem(Uint8Array.of(...bytes, ...unknown));
  expect(item).toMatchObject(GOOD);
  expect(item!.$unknown).toBeUndefined();
  expect(readDiscoveryItem(Uint8Array.of(0xff))).toBeUndefined();
  expect(readDiscoveryItem(Uint8Array.of(0x0a, 1, 0xff))).toBeUndefined();
});

test.each([
  [1, 1, 1],
  [3, 2, 2],
  [4, 3, 2],
  [5, 4, 3],
  [7, 5, 4],
  [11, 8, 6],
])('of %i nodes, %i make a safe quorum and %i a documented one', (nodes, safe, documented) => {
  expect(directoryQuorum(nodes)).toBe(safe);
  expect(directoryQuorum(nodes, 'documented')).toBe(documented);
});

test('a publish code has a name and a number, and later ones have none', () => {
  for (const [name, code] of Object.entries(PUBLISH_CODES)) expect(publishCodeOf(code)).toBe(name);
  expect(publishCodeOf(4711)).toBeUndefined();
});
