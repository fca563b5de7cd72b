import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema } from '@discovery-raft/protocol';
import type { VerifiedPacket } from '../src/index.js';
import { KnownPacket } from '../src/runtime/known-packet.js';

const item = create(DiscoveryItemSchema, { identity: 'node', address: ['node.example:443'], expiration: 2000n });
const itemBytes = toBinary(DiscoveryItemSchema, item);
const before = Uint8Array.of(1, 2, 3);
const behind = Uint8Array.of(4, 5);

function verified(given: Partial<VerifiedPacket> = {}): VerifiedPacket {
  return { ok: true, item, itemBytes, signer: 'node', notBefore: 10, notAfter: 90, ...given };
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe('the bytes of an item', () => {
  it('are those of the packet where it holds them in one piece, wherever the verdict got its own from', () => {
    const packet = joined(before, itemBytes, behind);
    const source = { packet };
    const known = new KnownPacket(verified(), packet, source, true);
    expect(known.itemBytes).toEqual(itemBytes);
    expect(known.itemBytes.buffer).toBe(packet.buffer);
    expect(known.item).toEqual(item);
    const listed = packet.slice();
    source.packet = listed;
    expect(known.itemBytes.buffer).toBe(listed.buffer);
    expect(known.itemBytes).toEqual(itemBytes);
  });

  it('are found by their place when the verdict points into the packet', () => {
    const twice = joined(itemBytes, before, itemBytes);
    const second = twice.subarray(itemBytes.length + before.length);
    const known = new KnownPacket(verified({ itemBytes: second }), twice, { packet: twice }, true);
    expect(known.itemBytes.byteOffset).toBe(second.byteOffset);
  });

  it.each([
    ['cut by other bytes', joined(before, itemBytes.subarray(0, 7), behind, itemBytes.subarray(7))],
    ['longer than the packet', itemBytes.subarray(0, itemBytes.length - 1)],
    ['cut short by the end of the packet', joined(before, itemBytes.subarray(0, itemBytes.length - 1))],
    ['in no part of the packet', new Uint8Array(200)],
  ])('are those of the verdict where they are %s', (_name, packet) => {
    const known = new KnownPacket(verified(), packet, { packet }, true);
    expect(known.itemBytes).toBe(itemBytes);
    expect(known.itemLength).toBe(itemBytes.length);
    expect(known.item).toEqual(item);
  });

  it('are those of the verdict where the packet shares its memory and does not hold them', () => {
    const memory = joined(before, behind, itemBytes);
    const packet = memory.subarray(0, before.length + behind.length + 4);
    const inside = memory.subarray(before.length + behind.length);
    const known = new KnownPacket(verified({ itemBytes: inside }), packet, { packet }, true);
    expect(known.itemBytes).toBe(inside);
    expect(known.item).toEqual(item);
  });

  it('are looked for only as long as that takes a time in proportion to the packet', () => {
    const long = new Uint8Array(2001);
    long[2000] = 1;
    // At each place all but the last byte fit: a search to the end would compare some four million bytes.
    const packet = joined(new Uint8Array(2000), long);
    const known = new KnownPacket(verified({ itemBytes: long }), packet, { packet }, true);
    expect(known.itemBytes).toBe(long);
  });

  it('that are no item are an error of the verifier, not an empty item', () => {
    const packet = Uint8Array.of(255, 255, 255);
    const known = new KnownPacket(verified({ itemBytes: packet }), packet, { packet }, true);
    expect(() => known.item).toThrow('no item');
  });
});

describe('what else is kept', () => {
  const packet = joined(before, itemBytes);

  it('is what the verdict said', () => {
    const known = new KnownPacket(verified(), packet, { packet }, false);
    expect(known).toMatchObject({ identity: 'node', signer: 'node', expiration: 2000, notBefore: 10, notAfter: 90 });
    expect(known.keepsRules).toBe(false);
    expect(new KnownPacket(verified({ signer: 'other' }), packet, { packet }, true).signer).toBe('other');
  });

  it('tells a list that says the truth of it from one that does not', () => {
    const known = new KnownPacket(verified(), packet, { packet }, true);
    expect(known.isOf('node', 2000)).toBe(true);
    expect(known.isOf('node', 2001)).toBe(false);
    expect(known.isOf('another', 2000)).toBe(false);
    expect(known.identity).toBe('node');
  });
});
