import fc from 'fast-check';
import { RecordSlabs, type Slab, type Tenant } from '../src/state/record-slabs.js';
import { encodeEntry } from '../src/codec/entry-codec.js';
import type { StoredRecord } from '../src/index.js';
import { LogHarness } from './fixtures/log-harness.js';
import { attestationBy, packetOf } from './fixtures/text-schema.js';

/** Writes its number into its bytes. */
class Numbered implements Tenant {
  slab!: Slab;
  place!: number;
  readonly number: number;
  readonly bytes: number;
  moves = -1;

  constructor(number: number, bytes: number, slabs: RecordSlabs) {
    this.number = number;
    this.bytes = bytes;
    slabs.add(this, bytes);
    this.read().fill(number);
  }

  moveTo(slab: Slab, place: number): void {
    this.slab = slab;
    this.place = place;
    this.moves++;
  }

  read(): Uint8Array {
    return this.slab.bytes.subarray(this.slab.begin(this.place), this.slab.end(this.place));
  }
}

function reservedBytes(tenants: Iterable<Numbered>): number {
  const slabs = new Set(Array.from(tenants, ({ slab }) => slab));
  return [...slabs].reduce((sum, { bytes }) => sum + bytes.length, 0);
}

describe('slabs', () => {
  it('keep the bytes of each tenant, wherever they move, and stay below about twice what lives', () => {
    const step = fc.record({ key: fc.nat(60), bytes: fc.integer({ min: 1, max: 20_000 }), leaves: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
        const slabs = new RecordSlabs();
        const alive = new Map<number, Numbered>();
        const gone: Numbered[] = [];
        for (const [i, { key, bytes, leaves }] of steps.entries()) {
          const old = alive.get(key);
          if (!leaves || old === undefined) alive.set(key, new Numbered(i % 251, bytes, slabs));
          else alive.delete(key);
          if (old !== undefined) {
            slabs.remove(old.slab, old.place);
            gone.push(old);
          }
          const aliveBytes = [...alive.values()].reduce((sum, tenant) => sum + tenant.bytes, 0);
          // Twice, and a quarter that may be left over at the end of each; and the slab that is being filled.
          expect(reservedBytes(alive.values())).toBeLessThanOrEqual((2 / 0.75) * aliveBytes + 2 * 65_536);
        }
        for (const tenant of [...alive.values(), ...gone]) {
          expect(tenant.read()).toHaveLength(tenant.bytes);
          expect(tenant.read().every((byte) => byte === tenant.number)).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('move each byte about once while tenants are replaced at random', () => {
    const slabs = new RecordSlabs();
    const alive: Numbered[] = [];
    let moves = 0;
    let seed = 1;
    for (let i = 0; i < 20_000; i++) {
      seed = (seed * 48_271) % 2_147_483_647;
      const at = i < 1000 ? i : seed % 1000;
      const old = alive[at];
      alive[at] = new Numbered(i % 251, 500, slabs);
      if (old === undefined) continue;
      moves += old.moves;
      slabs.remove(old.slab, old.place);
    }
    expect(moves).toBeGreaterThan(0);
    expect(moves / 20_000).toBeLessThan(1.2);
    expect(reservedBytes(alive)).toBeLessThan(1.7 * 1000 * 500);
  });
});

describe('records with many bytes', () => {
  it('are what was written, in the list and in each view, while the list is written over again and again', () => {
    const log = new LogHarness();
    const written = new Map<number, Uint8Array>();
    const views: { records: readonly StoredRecord[]; indices: readonly number[] }[] = [];
    for (let i = 0; i < 400; i++) {
      const identity = `id${(i * 7) % 23}`;
      const packet = packetOf(identity, i, String.fromCharCode(97 + (i % 26)).repeat(1000 + ((i * 7919) % 19_000)));
      const old = log.list.get(identity)[0];
      const data = encodeEntry({
        packet,
        attestations: [attestationBy('x', i), attestationBy('y')],
        deleteIndex: old?.index ?? 0,
        origin: old?.origin ?? 0,
      });
      log.append(data);
      written.set(log.lastIndex, packet);
      if (i % 40 !== 0) continue;
      const records = [...log.list.view().entries()];
      views.push({ records, indices: records.map(({ index }) => index) });
    }
    expect(log.list.size).toBe(23);
    for (const { records, indices } of views) {
      for (const [i, record] of records.entries()) {
        const packet = written.get(indices[i]!)!;
        expect(record.index).toBe(indices[i]);
        expect(Buffer.compare(record.packet, packet)).toBe(0);
        expect(record.hasPacket(packet)).toBe(true);
        expect(record.hasPacket(packet.subarray(1))).toBe(false);
        for (const at of [0, packet.length >> 1, packet.length - 1]) {
          const other = packet.slice();
          other[at]! ^= 1;
          expect(record.hasPacket(other)).toBe(false);
        }
        expect(record.attesters).toEqual(['x', 'y']);
        expect(record.attestations).toEqual([attestationBy('x', record.index - 1), attestationBy('y')]);
      }
    }
  });
});
