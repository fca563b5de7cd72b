import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { RaftLogEntrySchema } from '@discovery-raft/protocol';
import fc from 'fast-check';
import { attestationPlaces, decodeEntry, encodeEntry } from '../src/codec/entry-codec.js';
import { DEFAULT_LIST_LIMITS } from '../src/limits.js';

const bytes = fc.uint8Array({ maxLength: 300 });
const integer = fc.maxSafeNat();
const entries = fc.record({
  packet: bytes,
  attestations: fc.array(
    fc.record({ certificate: bytes, signature: bytes, expiration: integer }).map(({ expiration, ...signature }) => ({
      signature: { $typeName: 'protocol.DiscoverySignature' as const, ...signature },
      expiration,
    })),
    { maxLength: 5 },
  ),
  deleteIndex: integer,
  round: integer,
});

describe('the codec of log entries', () => {
  it('writes the bytes that the generated code writes', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const message = create(RaftLogEntrySchema, {
          packet: entry.packet,
          signatures: entry.attestations.map(({ signature, expiration }) => ({
            signature,
            expiration: BigInt(expiration),
          })),
          deleteIndex: BigInt(entry.deleteIndex),
          round: BigInt(entry.round),
        });
        expect(Buffer.from(encodeEntry(entry))).toEqual(Buffer.from(toBinary(RaftLogEntrySchema, message)));
      }),
    );
  });

  it('reads back what it writes, origin included', () => {
    fc.assert(
      fc.property(entries, integer, (entry, origin) => {
        expect(decodeEntry(encodeEntry({ ...entry, origin }), DEFAULT_LIST_LIMITS)).toEqual({
          ...entry,
          origin,
          canonical: true,
        });
      }),
    );
  });

  it('finds the signatures in what it writes, wherever that lies', () => {
    const records = fc.tuple(entries, fc.uint8Array({ minLength: 1, maxLength: 300 }), integer);
    fc.assert(
      fc.property(records, fc.nat(50), ([entry, packet, origin], begin) => {
        const encoded = encodeEntry({ ...entry, packet, origin });
        const whole = new Uint8Array(begin + encoded.length + 7).fill(0xff);
        whole.set(encoded, begin);
        const found = attestationPlaces(whole, begin, begin + encoded.length);
        const read = found.map((place) => ({ ...place, signature: whole.slice(place.begin, place.end) }));
        expect(read).toMatchObject(
          entry.attestations.map(({ signature: { signature }, expiration }) => ({ signature, expiration })),
        );
        expect(found).toHaveLength(entry.attestations.length);
      }),
    );
  });

  it('is skipped over by readers that do not know the origin', () => {
    const message = fromBinary(
      RaftLogEntrySchema,
      encodeEntry({ packet: Uint8Array.of(1), deleteIndex: 9, origin: 4 }),
    );
    expect(message).toMatchObject({ packet: Uint8Array.of(1), deleteIndex: 9n });
  });

  it('gives an entry or undefined for any bytes, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
        const entry = decodeEntry(data, DEFAULT_LIST_LIMITS);
        if (entry !== undefined) expect(entry.packet.length).toBeLessThanOrEqual(data.length);
      }),
      { numRuns: 5000 },
    );
  });

  it('reads a damaged entry as something that it can write, or not at all', () => {
    const damaged = fc.tuple(entries, fc.nat(), fc.nat(255)).map(([entry, at, value]) => {
      const data = encodeEntry(entry);
      if (data.length > 0) data[at % data.length] = value;
      return data.subarray(0, at % 3 === 0 ? at % (data.length + 1) : data.length);
    });
    fc.assert(
      fc.property(damaged, (data) => {
        const entry = decodeEntry(data, DEFAULT_LIST_LIMITS);
        if (entry === undefined) return;
        const written = encodeEntry(entry);
        expect(decodeEntry(written, DEFAULT_LIST_LIMITS)).toEqual({ ...entry, canonical: true });
        expect(entry.canonical).toBe(Buffer.compare(written, data) === 0);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a packet over the limit', { packet: new Uint8Array(11) }],
    ['too many attestations', { attestations: Array.from({ length: 3 }, () => attestation(1, 1)) }],
    ['a certificate over the limit', { attestations: [attestation(21, 1)] }],
    ['a signature over the limit', { attestations: [attestation(1, 21)] }],
  ])('refuses %s', (_name, entry) => {
    const limits = { maxPacketBytes: 10, maxAttestations: 2, maxAttestationBytes: 20, maxIdentityLength: 10 };
    expect(decodeEntry(encodeEntry(entry), limits)).toBeUndefined();
    expect(decodeEntry(encodeEntry(entry), DEFAULT_LIST_LIMITS)).toBeDefined();
  });

  it.each([
    ['an integer of 2^53', [0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ['a varint without end', Array.from({ length: 12 }, () => 0x80)],
    ['a field number of 0', [0x02, 0x00]],
    ['a group', [0x0b, 0x0c]],
    ['a length past the end', [0x0a, 0x05, 0x01]],
    ['an attestation without signature', [0x12, 0x02, 0x10, 0x01]],
    ['two signatures in one attestation', [0x12, 0x04, 0x0a, 0x00, 0x0a, 0x00]],
  ])('refuses %s', (_name, data) => {
    expect(decodeEntry(Uint8Array.from(data), DEFAULT_LIST_LIMITS)).toBeUndefined();
  });

  it.each([
    ['what it writes itself', [0x0a, 1, 65, 0x12, 4, 0x0a, 0, 0x10, 1, 0x18, 7], true],
    ['an unknown field', [0x18, 7, 0x78, 1], false],
    ['an unknown field in an attestation', [0x12, 4, 0x0a, 0, 0x18, 1], false],
    ['an unknown field in a signature', [0x12, 4, 0x0a, 2, 0x18, 1], false],
    ['fields out of order', [0x18, 7, 0x0a, 1, 65], false],
    ['attestations around another field', [0x12, 2, 0x0a, 0, 0x18, 7, 0x12, 2, 0x0a, 0], false],
    ['a field that comes twice', [0x18, 6, 0x18, 7], false],
    ['a default that is written', [0x0a, 1, 65, 0x18, 0], false],
    ['a default inside of an attestation', [0x12, 4, 0x0a, 0, 0x10, 0], false],
    ['an integer with too many bytes', [0x18, 0x87, 0], false],
    ['a length with too many bytes', [0x0a, 0x81, 0, 65], false],
    ['a length with too many bytes in an attestation', [0x12, 3, 0x0a, 0x80, 0], false],
  ])('knows without writing it whether an entry is as it would be written: %s', (_name, data, canonical) => {
    const entry = decodeEntry(Uint8Array.from(data), DEFAULT_LIST_LIMITS);
    expect(entry?.canonical).toBe(canonical);
    expect(Buffer.compare(encodeEntry(entry!), Uint8Array.from(data)) === 0).toBe(canonical);
  });

  it('passes over fields that it does not know, of every wire type', () => {
    const unknown = [0x78, 0xff, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 0x02, 9, 9, 0x7d, 1, 2, 3, 4];
    expect(decodeEntry(Uint8Array.from([...unknown, 0x18, 0x07]), DEFAULT_LIST_LIMITS)).toMatchObject({
      deleteIndex: 7,
    });
  });
});

function attestation(certificateBytes: number, signatureBytes: number) {
  const certificate = new Uint8Array(certificateBytes);
  const signature = new Uint8Array(signatureBytes);
  return { signature: { $typeName: 'protocol.DiscoverySignature' as const, certificate, signature }, expiration: 1 };
}
