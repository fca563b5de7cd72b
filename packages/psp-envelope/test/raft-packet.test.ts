import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryRaftPacketSchema } from '@discovery-raft/protocol';
import fc from 'fast-check';
import {
  DEFAULT_LIMITS,
  EntriesCache,
  openRaftPacket,
  sealRaftPacket,
  signedContentOf,
  unwrapRaftPacket,
  wrapRaftPacket,
  type PacketSignature,
  type RaftPacketFields,
  type UnsignedRaftPacket,
} from '../src/index.js';
import { codeOf, identities, raftMessages } from './messages.js';
import { fromHex, toHex, vectors } from './vectors.js';

const signatures: fc.Arbitrary<PacketSignature> = fc.record({
  certificate: fc.uint8Array({ maxLength: 200 }),
  signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
});

const packets: fc.Arbitrary<RaftPacketFields> = fc.record(
  {
    version: fc.constantFrom('', 'xpx-discovery-1.0', 'psp-discovery-1.0'),
    sourceId: identities,
    destinationId: identities,
    msgType: fc.nat(10),
    packetId: fc.maxSafeNat(),
    payload: fc.uint8Array({ maxLength: 400 }),
    signature: signatures,
  },
  { requiredKeys: ['version', 'sourceId', 'destinationId', 'msgType', 'packetId', 'payload'] },
);

const sample: RaftPacketFields = {
  version: 'xpx-discovery-1.0',
  sourceId: 'a',
  destinationId: 'b',
  msgType: 9,
  packetId: 1,
  payload: fromHex('0a03120161'),
};

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const contentOf = (packet: UnsignedRaftPacket): string => toHex(signedContentOf(packet, sha256));

test('a packet and its message come back as they were, signed or not', () => {
  const cache = new EntriesCache();
  fc.assert(
    fc.property(raftMessages, fc.maxSafeNat(), fc.option(signatures), (message, packetId, signature) => {
      let signed: UnsignedRaftPacket | undefined;
      const sign = (fields: UnsignedRaftPacket): PacketSignature => {
        signed = fields;
        return signature!;
      };
      const base = { version: 'psp-discovery-1.0', sourceId: 'source', destinationId: 'destination', packetId };
      const bytes = wrapRaftPacket({ ...base, message, cache, ...(signature === null ? {} : { sign }) });
      const packet = unwrapRaftPacket(bytes);
      expect(packet).toMatchObject({ ...base, message, kind: message.kind });
      expect(packet.signature).toEqual(signature ?? undefined);
      if (signature !== null) expect(contentOf(packet)).toBe(contentOf(signed!));
    }),
    { numRuns: 200 },
  );
});

test('a packet has the very bytes that protobuf-es writes', () => {
  fc.assert(
    fc.property(packets, (fields) => {
      const { version, sourceId: sourceID, destinationId: desitnationID, msgType, payload: packet, signature } = fields;
      const message = create(DiscoveryRaftPacketSchema, {
        version,
        sourceID,
        desitnationID,
        msgType,
        packetID: BigInt(fields.packetId),
        packet,
        ...(signature === undefined ? {} : { signature }),
      });
      const bytes = sealRaftPacket(fields);
      expect(toHex(bytes)).toBe(toHex(toBinary(DiscoveryRaftPacketSchema, message)));
      expect(fromBinary(DiscoveryRaftPacketSchema, bytes)).toEqual(message);
      expect(openRaftPacket(bytes)).toMatchObject(fields);
    }),
    { numRuns: 300 },
  );
});

test('the payload is not looked at before it is asked for', () => {
  const bytes = sealRaftPacket({ ...sample, payload: fromHex('ffffff') });
  expect(toHex(openRaftPacket(bytes).payload)).toBe('ffffff');
  expect(codeOf(() => unwrapRaftPacket(bytes))).toBe('ENVELOPE_TRUNCATED');
});

test('what is signed differs when any part differs, also when a part moves its border', () => {
  const others: RaftPacketFields[] = [
    { ...sample, version: 'xpx-discovery-1.1' },
    { ...sample, sourceId: 'c' },
    { ...sample, destinationId: 'c' },
    { ...sample, sourceId: 'ab', destinationId: '' },
    { ...sample, sourceId: 'b', destinationId: 'a' },
    { ...sample, msgType: 3 },
    { ...sample, packetId: 2 },
    { ...sample, packetId: 2 ** 32 + 1 },
    { ...sample, payload: fromHex('0a03120162') },
    { ...sample, payload: fromHex('') },
  ];
  const contents = [sample, ...others].map(contentOf);
  expect(new Set(contents).size).toBe(contents.length);
});

test('the signed content is pinned: peers of other builds must make the same', () => {
  expect(contentOf(sample)).toBe(
    [
      toHex(new TextEncoder().encode('discovery-raft DiscoveryRaftPacket 1\0')),
      `0011${toHex(new TextEncoder().encode('xpx-discovery-1.0'))}`,
      '000161',
      '000162',
      '00000009',
      '0000000000000001',
      // SHA-256 of the payload 0a03120161, by another program.
      '962e93755f04cb928f366c081ec1ef261cac1e55a445337d2dcb6007bb7acce4',
    ].join(''),
  );
});

describe('limits', () => {
  const bytes = sealRaftPacket({
    ...sample,
    signature: { certificate: new Uint8Array(100), signature: new Uint8Array(64) },
  });
  test.each([
    ['the packet', { maxMessageBytes: bytes.length - 1 }],
    ['the version', { maxVersionBytes: 16 }],
    ['an identity', { maxIdentityBytes: 0 }],
    ['a certificate', { maxSignatureBytes: 99 }],
    ['a payload of this kind', { maxControlPayloadBytes: 4 }],
  ])('%s', (_, limits) => {
    expect(codeOf(() => openRaftPacket(bytes))).toBeUndefined();
    expect(codeOf(() => openRaftPacket(bytes, { ...DEFAULT_LIMITS, ...limits }))).toBe('ENVELOPE_TOO_LARGE');
  });
});

test.each([
  ['no source', { sourceId: '' }, 'ENVELOPE_INVALID_VALUE'],
  ['no destination', { destinationId: '' }, 'ENVELOPE_INVALID_VALUE'],
  ['a kind that is not known', { msgType: 13 }, 'ENVELOPE_UNKNOWN_MESSAGE_TYPE'],
])('%s is refused', (_, change, code) => {
  expect(codeOf(() => openRaftPacket(sealRaftPacket({ ...sample, ...change })))).toBe(code);
});

test('the vector has no signature, and none is made up', () => {
  const packet = openRaftPacket(fromHex(vectors.discoveryRaftPacket.bytes));
  expect('signature' in packet).toBe(false);
});
