import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { encodeEntry } from '../src/codec/entry-codec.js';
import { ListError, SharedList } from '../src/index.js';
import { LogHarness, plain } from './fixtures/log-harness.js';
import { attestationBy, packetOf, sha256, textList } from './fixtures/text-schema.js';

function filled(count: number): LogHarness {
  const log = new LogHarness();
  for (let i = 0; i < count; i++) {
    const packet = packetOf(`id${i % 50}`, i, 'p'.repeat(i % 100));
    log.append(encodeEntry({ packet, attestations: [attestationBy('x'), attestationBy('y', i)] }));
    if (i % 3 === 0) log.append(encodeEntry({ packet, deleteIndex: log.lastIndex, origin: log.lastIndex }));
    if (i % 7 === 0) log.append(encodeEntry({ packet, deleteIndex: log.lastIndex }));
    if (i % 5 === 0) log.append(encodeEntry({ deleteIndex: log.lastIndex - 1 }));
  }
  log.append(Uint8Array.of(0xff));
  return log;
}

async function persist(list: SharedList): Promise<Uint8Array> {
  const snapshot = list.snapshot();
  const chunks: Uint8Array[] = [];
  await snapshot.persist((chunk) => void chunks.push(chunk));
  snapshot.release();
  return Buffer.concat(chunks);
}

async function* stream(bytes: Uint8Array, chunkBytes = bytes.length): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += chunkBytes) yield bytes.subarray(i, i + chunkBytes);
}

describe('a snapshot', () => {
  it.each([1, 13, 4096, 1_000_000])('restores the same list from chunks of %i bytes', async (chunkBytes) => {
    const log = filled(1500);
    const bytes = await persist(log.list);
    const list = textList();
    const restored: unknown[] = [];
    list.on('restored', (event) => restored.push(event));
    await list.restore(stream(bytes, chunkBytes));
    expect(bytes.length).toBeGreaterThan(65_536);
    expect(plain(list)).toEqual(plain(log.list));
    expect(list.view().digest()).toEqual(log.list.view().digest());
    expect(list).toMatchObject({ appliedIndex: log.lastIndex, size: log.list.size, liveBytes: log.list.liveBytes });
    expect(restored).toEqual([{ index: log.lastIndex, size: log.list.size }]);
    expect(Buffer.compare(await persist(list), bytes)).toBe(0);
  });

  it('takes the place of what was there: none of those records is in the list any more', async () => {
    const { list } = filled(100);
    const before = [...list.entries()];
    await list.restore(stream(await persist(list)));
    expect(before.some(({ isLive }) => isLive)).toBe(false);
    expect([...list.entries()].every(({ isLive }) => isLive)).toBe(true);
    expect(before[0]!.peekPacket()).toEqual([...list.entries()][0]!.packet);
  });

  it('leaves a replica that goes on exactly as the others do', async () => {
    const log = filled(200);
    const list = textList();
    await list.restore(stream(await persist(log.list)));
    const redactedThere: number[] = [];
    const hashesThere: (Uint8Array | undefined)[] = [];
    const already = log.redactedBy.size;
    for (const record of [...log.list.entries()]) {
      log.append(encodeEntry({ deleteIndex: record.index, origin: record.origin }));
      list.apply(log.entries.at(-1)!, {
        redact: (index, hash) => {
          redactedThere.push(index);
          hashesThere.push(hash);
        },
      });
    }
    expect(list.size).toBe(0);
    // A snapshot does not say what the bytes in the log were.
    expect(new Set(hashesThere)).toEqual(new Set([undefined]));
    expect(redactedThere).toEqual([...log.redactedBy.keys()].slice(already));
  });

  it('holds the list as it was when it was taken, not when it is written', async () => {
    const log = filled(20);
    const expected = plain(log.list);
    const snapshot = log.list.snapshot();
    log.append(encodeEntry({ packet: packetOf('later', 1) }));
    const chunks: Uint8Array[] = [];
    await snapshot.persist((chunk) => void chunks.push(chunk));
    const list = textList();
    await list.restore(stream(Buffer.concat(chunks)));
    expect(plain(list)).toEqual(expected);
  });

  it('of an empty list restores to an empty list', async () => {
    const log = filled(9);
    await log.list.restore(stream(await persist(textList())));
    expect(log.list).toMatchObject({ size: 0, liveBytes: 0, appliedIndex: 0 });
  });
});

describe('damaged snapshots', () => {
  async function refuse(bytes: Uint8Array, code = 'LIST_SNAPSHOT_CORRUPT'): Promise<void> {
    const log = filled(5);
    const before = plain(log.list);
    const error: unknown = await log.list.restore(stream(bytes, 1000)).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ListError);
    expect(error).toMatchObject({ code });
    expect(plain(log.list)).toEqual(before);
  }

  it('are refused wherever a byte is changed, cut off or added, and leave the list as it was', async () => {
    const bytes = await persist(filled(30).list);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = bytes.slice();
        changed[at]! ^= flip;
        await refuse(changed);
        await refuse(bytes.subarray(0, at));
        await refuse(Buffer.concat([bytes, changed.subarray(0, at + 1)]));
      }),
      { numRuns: 100 },
    );
  });

  it('are refused when blocks are missing, repeated or swapped', async () => {
    const log = filled(2500);
    const chunks: Uint8Array[] = [];
    await log.list.snapshot().persist((chunk) => void chunks.push(chunk));
    expect(chunks.length).toBeGreaterThan(4);
    const [header, first, second, ...rest] = chunks as [Uint8Array, Uint8Array, Uint8Array, ...Uint8Array[]];
    await refuse(Buffer.concat([header, second, ...rest]));
    await refuse(Buffer.concat([header, first, first, second, ...rest]));
    await refuse(Buffer.concat([header, second, first, ...rest]));
    await refuse(Buffer.concat([first, second, ...rest]));
  });

  it('of another version are refused with a code of their own', async () => {
    for (const version of [1, 3]) {
      await refuse(
        sealed([Uint8Array.from([...Buffer.from('RAFTLIST'), ...Buffer.alloc(7), version])]),
        'LIST_SNAPSHOT_VERSION',
      );
    }
  });

  it('with right checksums are refused when chain, records or digest are not those of one state', async () => {
    const log = filled(20);
    const payloads: Uint8Array[] = [];
    await log.list.snapshot().persist((block) => void payloads.push(block.subarray(8)));
    expect(sealed(payloads)).toEqual(Buffer.from(await persist(log.list)));
    const digestAt = payloads.length - 2;
    const changed = (payload: number, byte: number): Uint8Array =>
      sealed(payloads.map((bytes, i) => (i === payload ? bytes.map((old, k) => (k === byte ? old ^ 1 : old)) : bytes)));
    await refuse(changed(0, 23)); // the index
    await refuse(changed(0, 71)); // the chain
    await refuse(changed(1, 60)); // a record
    await refuse(changed(digestAt, 31));
    await refuse(sealed(payloads.filter((_, i) => i !== digestAt)));
    await refuse(sealed(payloads.flatMap((bytes, i) => (i === digestAt ? [bytes, bytes] : [bytes]))));
  });

  it('that promise a block of 4 GiB are refused before memory is taken', async () => {
    await refuse(Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
  });

  it('of another schema are refused', async () => {
    const bytes = await persist(filled(5).list);
    const list = new SharedList({ schema: { describe: () => undefined, attester: () => undefined }, sha256, crc32 });
    await expect(list.restore(stream(bytes))).rejects.toMatchObject({ code: 'LIST_SNAPSHOT_CORRUPT' });
  });

  it('pass on what the stream throws', async () => {
    const failing = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('disk')) }) };
    await expect(textList().restore(failing)).rejects.toThrow('disk');
  });
});

/** Payloads as blocks with right checksums. */
function sealed(payloads: readonly Uint8Array[]): Uint8Array {
  let crc = 0;
  return Buffer.concat(
    payloads.map((payload) => {
      const block = Buffer.alloc(8 + payload.length);
      crc = crc32(payload, crc);
      block.writeUInt32BE(payload.length, 0);
      block.writeUInt32BE(crc, 4);
      block.set(payload, 8);
      return block;
    }),
  );
}
