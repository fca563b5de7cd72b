import fc from 'fast-check';
import {
  CELL_PAYLOAD_BYTES,
  decodeApplicationMessage,
  decodeDiscoveryMessage,
  DEFAULT_LIMITS,
  discoveryMessage,
  encodeApplicationMessage,
  encodeDiscoveryMessage,
  EventId,
  Reassembler,
  segment,
  segmentBody,
  type DiscoveryMessage,
  type EventName,
} from '../src/index.js';
import { codeOf, identities } from './messages.js';
import { toHex } from './vectors.js';

const uint = fc.bigInt({ min: 0n, max: BigInt(Number.MAX_SAFE_INTEGER) });
const bytes = fc.uint8Array({ maxLength: 100 });
const version = fc.constantFrom('xpx-discovery-1.0', 'psp-discovery-1.0');
const signature = fc.record({ certificate: bytes, signature: bytes });

const BODIES: { [Name in EventName]: fc.Arbitrary<DiscoveryMessage> } = {
  pullDiscovery: fc
    .record({ version, requestID: uint, maxDirectoryBytes: uint, newerThan: uint })
    .map((fields) => discoveryMessage('pullDiscovery', fields)),
  discoveryDirectory: fc
    .record({
      directory: bytes,
      signatures: fc.array(signature, { maxLength: 5 }),
      shortSignatures: fc.array(signature, { maxLength: 5 }),
    })
    .map((fields) => discoveryMessage('discoveryDirectory', fields)),
  publishToDiscovery: fc
    .record({ version, signedDiscoveryItem: bytes, requestID: uint })
    .map((fields) => discoveryMessage('publishToDiscovery', fields)),
  discoveryRaftPacket: fc
    .record({
      version,
      sourceID: identities,
      desitnationID: identities,
      msgType: fc.nat(10),
      packetID: uint,
      packet: bytes,
      signature,
    })
    .map((fields) => discoveryMessage('discoveryRaftPacket', fields)),
  discoveryRequestConsensusVote: fc
    .record({
      version,
      creation: uint,
      expiration: uint,
      round: uint,
      frozenIndex: uint,
      listDigest: bytes,
      previousDigest: bytes,
      shortDigest: bytes,
      rootVersion: uint,
    })
    .map((fields) => discoveryMessage('discoveryRequestConsensusVote', fields)),
  discoveryConsensusVote: fc
    .record({
      version,
      signature,
      verdict: fc.nat(3),
      reason: identities,
      round: uint,
      appliedIndex: uint,
      rootVersion: uint,
    })
    .map((fields) => discoveryMessage('discoveryConsensusVote', fields)),
  discoveryFinalConsensus: fc
    .record({ version, signatures: fc.array(signature, { maxLength: 5 }), round: uint, listDigest: bytes })
    .map((fields) => discoveryMessage('discoveryFinalConsensus', fields)),
  publishToDiscoveryForwarded: fc
    .record({ version, fingerprint: identities, publishPacket: bytes, signature })
    .map((fields) => discoveryMessage('publishToDiscoveryForwarded', fields)),
  publishToDiscoveryResult: fc
    .record({ requestID: uint, code: fc.nat(), detail: identities })
    .map((fields) => discoveryMessage('publishToDiscoveryResult', fields)),
  discoveryRequestAttestation: fc
    .record({ version, packets: fc.array(bytes, { maxLength: 5 }) })
    .map((fields) => discoveryMessage('discoveryRequestAttestation', fields)),
  discoveryDirectoryPart: fc
    .record({ requestID: uint, digest: bytes, totalBytes: uint, index: fc.nat(), count: fc.nat(), content: bytes })
    .map((fields) => discoveryMessage('discoveryDirectoryPart', fields)),
  pullTrustRoots: fc
    .record({ version, requestID: uint, newerThan: uint })
    .map((fields) => discoveryMessage('pullTrustRoots', fields)),
  trustRoots: fc
    .record({
      requestID: uint,
      roots: fc.array(fc.record({ root: bytes, signatures: fc.array(signature, { maxLength: 3 }) }), { maxLength: 5 }),
    })
    .map((fields) => discoveryMessage('trustRoots', fields)),
  discoveryStateDigest: fc
    .record({ version, round: uint, index: uint, digest: bytes })
    .map((fields) => discoveryMessage('discoveryStateDigest', fields)),
};

describe('discovery messages', () => {
  test.each(Object.keys(EventId) as EventName[])('%s comes back as it was', (event) => {
    fc.assert(
      fc.property(BODIES[event], (message) => {
        const encoded = encodeDiscoveryMessage(message);
        expect(encoded[0]! * 256 + encoded[1]!).toBe(EventId[event]);
        expect(decodeDiscoveryMessage(encoded)).toEqual(message);
      }),
      { numRuns: 50 },
    );
  });

  test('fields of a later version are skipped and do not travel on', () => {
    const message = discoveryMessage('pullDiscovery', { version: 'v' });
    const encoded = encodeDiscoveryMessage(message);
    const decoded = decodeDiscoveryMessage(new Uint8Array([...encoded, 0x52, 0x01, 0x07]));
    expect(decoded).toEqual(message);
    expect(toHex(encodeDiscoveryMessage(decoded))).toBe(toHex(encoded));
  });

  test('a 64-bit number of 2^53 is refused, 2^53 - 1 is taken', () => {
    const message = (creation: bigint) =>
      encodeDiscoveryMessage(discoveryMessage('discoveryRequestConsensusVote', { creation }));
    expect(codeOf(() => decodeDiscoveryMessage(message(2n ** 53n - 1n)))).toBeUndefined();
    expect(codeOf(() => decodeDiscoveryMessage(message(2n ** 53n)))).toBe('ENVELOPE_INVALID_VALUE');
  });

  test('a number that protobuf cannot hold is refused when it is encoded', () => {
    const message = discoveryMessage('publishToDiscoveryResult', { requestID: 2n ** 64n });
    expect(codeOf(() => encodeDiscoveryMessage(message))).toBe('ENVELOPE_INVALID_VALUE');
  });

  test('a million empty signatures are refused before one is made', () => {
    const body = new Uint8Array(2_000_000);
    for (let i = 0; i < body.length; i += 2) body[i] = 0x12;
    const message = encodeApplicationMessage('discoveryDirectory', body);
    expect(codeOf(() => decodeDiscoveryMessage(message))).toBe('ENVELOPE_TOO_LARGE');
  });

  test('deeply nested groups are refused', () => {
    const nested = new Uint8Array(60_000).fill(0x0b);
    expect(codeOf(() => decodeDiscoveryMessage(encodeApplicationMessage('pullDiscovery', nested)))).toBe(
      'ENVELOPE_MALFORMED',
    );
    const inside = new Uint8Array([0x12, 0xe0, 0xd4, 0x03, ...nested]);
    const vote = encodeApplicationMessage('discoveryConsensusVote', inside);
    expect(codeOf(() => decodeDiscoveryMessage(vote))).toBe('ENVELOPE_MALFORMED');
  });
});

describe('application messages', () => {
  test('an event that is not known, and one that is cut off', () => {
    expect(codeOf(() => decodeApplicationMessage(new Uint8Array([7, 0xff, 1])))).toBe('ENVELOPE_UNKNOWN_EVENT');
    expect(codeOf(() => decodeApplicationMessage(new Uint8Array([7])))).toBe('ENVELOPE_TRUNCATED');
    expect(codeOf(() => decodeApplicationMessage(new Uint8Array(0)))).toBe('ENVELOPE_TRUNCATED');
  });

  test('only directories, their parts, Raft packets, requests for attestations and trust roots may be large, both ways', () => {
    const large = new Uint8Array(DEFAULT_LIMITS.maxSmallBodyBytes + 1);
    const may = (Object.keys(EventId) as EventName[]).filter(
      (event) => codeOf(() => encodeApplicationMessage(event, large)) === undefined,
    );
    expect(may).toEqual([
      'discoveryDirectory',
      'discoveryRaftPacket',
      'discoveryRequestAttestation',
      'discoveryDirectoryPart',
      'trustRoots',
    ]);
    const pull = new Uint8Array([7, 0xd1, ...large]);
    expect(codeOf(() => decodeApplicationMessage(pull))).toBe('ENVELOPE_TOO_LARGE');
    const tooLarge = new Uint8Array(DEFAULT_LIMITS.maxMessageBytes - 5);
    expect(codeOf(() => encodeApplicationMessage('discoveryDirectory', tooLarge))).toBe('ENVELOPE_TOO_LARGE');
  });
});

describe('segmentation', () => {
  const lengths = fc.oneof(
    fc.integer({ min: 1, max: 50 }),
    fc.constantFrom(65_530, 65_531, 65_532, 131_066, 131_067, 200_000),
  );

  test('every payload but the last is full, the length counts once', () => {
    fc.assert(
      fc.property(lengths, (length) => {
        const pieces = segment(new Uint8Array(length).fill(7));
        expect(pieces.slice(0, -1).every((piece) => piece.length === CELL_PAYLOAD_BYTES)).toBe(true);
        expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(length + 4);
        expect(pieces.at(-1)!.length).toBeGreaterThan(0);
        expect(new DataView(pieces[0]!.buffer).getUint32(0)).toBe(length + 4);
      }),
      { numRuns: 30 },
    );
  });

  test('cells give the messages back, one after another', () => {
    const reassembler = new Reassembler();
    for (const length of [1, 2, 3, 65_531, 65_532, 131_066, 131_067, 5]) {
      const message = Uint8Array.from({ length }, (_, i) => (i * 7) % 256);
      const received = segment(message).flatMap((piece) => reassembler.push(piece));
      expect(received.map((each) => Buffer.from(each).equals(Buffer.from(message)))).toEqual([true]);
      expect(reassembler.bufferedBytes).toBe(0);
    }
  });

  test('a cell may be overwritten as soon as it was taken, and may be a Buffer', () => {
    const reassembler = new Reassembler();
    const message = Uint8Array.from({ length: 100 }, (_, i) => i);
    const piece = Buffer.from(segment(message)[0]!);
    const [received] = reassembler.push(piece);
    piece.fill(0xee);
    expect(received).toEqual(message);
    expect(Buffer.isBuffer(received)).toBe(false);
  });

  test('a cell with a whole message keeps to the limits of its event, as one in parts does', () => {
    const limits = { ...DEFAULT_LIMITS, maxMessageBytes: 2000, maxSmallBodyBytes: 1000 };
    const cellOf = (event: EventName, length: number): Uint8Array =>
      segment(encodeApplicationMessage(event, new Uint8Array(length)))[0]!;
    const push = (cell: Uint8Array) => () => new Reassembler(limits).push(cell);
    expect(push(cellOf('publishToDiscovery', 1000))()).toHaveLength(1);
    expect(codeOf(push(cellOf('publishToDiscovery', 1001)))).toBe('ENVELOPE_TOO_LARGE');
    expect(push(cellOf('discoveryDirectory', 1994))()).toHaveLength(1);
    expect(codeOf(push(cellOf('discoveryDirectory', 1995)))).toBe('ENVELOPE_TOO_LARGE');
  });

  test('a byte stream may be cut anyhow', () => {
    const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 20 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.flatMap((message) => segment(message)));
        const borders = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b);
        const reassembler = new Reassembler(DEFAULT_LIMITS, 'stream');
        const received: Uint8Array[] = [];
        let from = 0;
        for (const border of [...borders, stream.length]) {
          const piece = new Uint8Array(stream.subarray(from, border));
          received.push(...reassembler.push(piece));
          piece.fill(0xee);
          from = border;
        }
        expect(received.map(toHex)).toEqual(sent.map(toHex));
        expect(reassembler.bufferedBytes).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test('a large message of a byte stream, byte by byte at the seams', () => {
    const message = Uint8Array.from({ length: 150_000 }, (_, i) => i % 251);
    const stream = Buffer.concat(segment(message));
    const reassembler = new Reassembler(DEFAULT_LIMITS, 'stream');
    const pieces = [...stream.subarray(0, 10)].map((byte) => new Uint8Array([byte]));
    for (let at = 10; at < stream.length; at += 4096) pieces.push(new Uint8Array(stream.subarray(at, at + 4096)));
    const received = pieces.flatMap((piece) => reassembler.push(piece));
    expect(received.map((each) => Buffer.from(each).equals(Buffer.from(message)))).toEqual([true]);
  });
});

describe('memory that was given back', () => {
  const messageOf = (length: number, seed: number): Uint8Array =>
    Uint8Array.from({ length }, (_, i) => (i * 7 + seed) % 251);
  const first = messageOf(150_000, 1);

  test.each(['cells', 'stream'] as const)(
    'is used for the next message that fits, whole or shorter (%s)',
    (framing) => {
      const reassembler = new Reassembler(DEFAULT_LIMITS, framing);
      const pass = (message: Uint8Array): Uint8Array =>
        segment(message).flatMap((piece) => reassembler.push(piece))[0]!;
      let memory = pass(first).buffer;
      for (const [length, isSame] of [
        [150_000, true],
        [70_000, true],
        [150_000, true],
        [150_001, false],
        [150_001, true],
      ] as const) {
        reassembler.reuse(new Uint8Array(memory, 2, 5));
        const message = messageOf(length, length);
        const received = pass(message);
        expect(Buffer.from(received).equals(Buffer.from(message))).toBe(true);
        expect(received.buffer === memory).toBe(isSame);
        memory = received.buffer;
      }
    },
  );

  test('is not used while nobody gives it back', () => {
    const reassembler = new Reassembler();
    const [one, other] = [1, 2].map(
      (seed) => segment(messageOf(150_000, seed)).flatMap((piece) => reassembler.push(piece))[0]!,
    );
    expect(one!.buffer).not.toBe(other!.buffer);
  });

  test('lets no event over its limit in', () => {
    const reassembler = new Reassembler();
    const memory = segment(first).flatMap((piece) => reassembler.push(piece))[0]!;
    reassembler.reuse(memory);
    const { maxSmallBodyBytes } = DEFAULT_LIMITS;
    const large = new Uint8Array(maxSmallBodyBytes + 3);
    large.set([EventId.publishToDiscovery >> 8, EventId.publishToDiscovery]);
    expect(codeOf(() => segment(large).forEach((piece) => reassembler.push(piece)))).toBe('ENVELOPE_TOO_LARGE');
  });
});

describe('a body in windows', () => {
  test('gives the same cells as one that is encoded in one piece', () => {
    const lengths = fc.array(fc.oneof(fc.nat(50), fc.integer({ min: 65_500, max: 65_560 }), fc.nat(200_000)), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(lengths, (each) => {
        const windows = each.map((length, i) => new Uint8Array(length).fill(i + 1));
        const whole = encodeApplicationMessage('discoveryDirectory', new Uint8Array(Buffer.concat(windows)));
        const cells = segmentBody('discoveryDirectory', windows);
        const expected = segment(whole);
        expect(cells.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
        expect(Buffer.concat(cells).equals(Buffer.concat(expected))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test('a full cell that lies in one window is that window', () => {
    const large = new Uint8Array(300_000);
    const cells = segmentBody('discoveryDirectory', [new Uint8Array(10), large]);
    expect(cells.map(({ buffer }) => buffer === large.buffer)).toEqual([false, true, true, true, true]);
  });

  test('is refused over the limit of its event', () => {
    const body = [new Uint8Array(40_000), new Uint8Array(30_000)];
    expect(codeOf(() => segmentBody('publishToDiscovery', body))).toBe('ENVELOPE_TOO_LARGE');
  });
});

describe('bad framing', () => {
  const head = (total: number, ...rest: number[]) => {
    const piece = new Uint8Array(4 + rest.length);
    new DataView(piece.buffer).setUint32(0, total);
    piece.set(rest, 4);
    return piece;
  };

  test.each([0, 1, 4])('a length of %i', (total) => {
    expect(codeOf(() => new Reassembler().push(head(total)))).toBe('ENVELOPE_BAD_FRAMING');
  });

  test('a length over the limit is refused at its fourth byte, and the limit itself is taken', () => {
    for (const framing of ['cells', 'stream'] as const) {
      const limit = DEFAULT_LIMITS.maxMessageBytes;
      expect(codeOf(() => new Reassembler(DEFAULT_LIMITS, framing).push(head(limit + 1)))).toBe('ENVELOPE_TOO_LARGE');
      expect(codeOf(() => new Reassembler(DEFAULT_LIMITS, framing).push(head(0xffff_ffff)))).toBe('ENVELOPE_TOO_LARGE');
    }
    expect(new Reassembler(DEFAULT_LIMITS, 'stream').push(head(DEFAULT_LIMITS.maxMessageBytes))).toEqual([]);
  });

  test('a small event that announces a large message is refused at its sixth byte', () => {
    const reassembler = new Reassembler(DEFAULT_LIMITS, 'stream');
    reassembler.push(head(2_000_000, 7));
    expect(codeOf(() => reassembler.push(new Uint8Array([0xd1])))).toBe('ENVELOPE_TOO_LARGE');
    expect(new Reassembler(DEFAULT_LIMITS, 'stream').push(head(2_000_000, 7, 0xd2))).toEqual([]);
  });

  test('an announced length takes no memory', () => {
    const before = process.memoryUsage().arrayBuffers;
    const many = Array.from({ length: 200 }, () => {
      const reassembler = new Reassembler(DEFAULT_LIMITS, 'stream');
      reassembler.push(head(DEFAULT_LIMITS.maxMessageBytes, 7, 0xd2, 1));
      return reassembler;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(DEFAULT_LIMITS.maxMessageBytes);
    expect(many.every((each) => each.bufferedBytes === 7)).toBe(true);
  });

  test('half a message takes its whole length, less takes no more than twice what came', () => {
    const total = 2_000_000;
    const take = (bytes: number): number => {
      const reassembler = new Reassembler(DEFAULT_LIMITS, 'stream');
      const before = process.memoryUsage().arrayBuffers;
      reassembler.push(head(total, 7, 0xd2));
      const piece = new Uint8Array(1000);
      for (let at = 0; at < bytes; at += piece.length) reassembler.push(piece);
      expect(reassembler.bufferedBytes).toBe(bytes + 6);
      return process.memoryUsage().arrayBuffers - before;
    };
    expect(take(300_000)).toBeLessThan(2 * 300_000 + 100_000);
    expect(take(1_100_000)).toBeLessThan(2 * total);
  });

  test('a short middle cell, a short first cell, an empty cell', () => {
    const pieces = segment(new Uint8Array(200_000).fill(1));
    const middle = new Reassembler();
    middle.push(pieces[0]!);
    expect(codeOf(() => middle.push(pieces[1]!.subarray(1)))).toBe('ENVELOPE_BAD_FRAMING');
    expect(codeOf(() => new Reassembler().push(pieces[0]!.subarray(0, 100)))).toBe('ENVELOPE_BAD_FRAMING');
    expect(codeOf(() => new Reassembler().push(new Uint8Array(3)))).toBe('ENVELOPE_TRUNCATED');
    expect(codeOf(() => new Reassembler().push(new Uint8Array(0)))).toBe('ENVELOPE_TRUNCATED');
  });

  test('bytes past the declared length, and a cell that cannot be one', () => {
    expect(codeOf(() => new Reassembler().push(head(6, 1, 2, 3)))).toBe('ENVELOPE_BAD_FRAMING');
    expect(codeOf(() => new Reassembler().push(new Uint8Array(65_536)))).toBe('ENVELOPE_BAD_FRAMING');
    expect(codeOf(() => segment(new Uint8Array(0)))).toBe('ENVELOPE_BAD_FRAMING');
  });

  test('after an error nothing more is taken', () => {
    const reassembler = new Reassembler(DEFAULT_LIMITS, 'stream');
    expect(codeOf(() => reassembler.push(head(0)))).toBe('ENVELOPE_BAD_FRAMING');
    expect(codeOf(() => reassembler.push(segment(new Uint8Array(5))[0]!))).toBe('ENVELOPE_BAD_FRAMING');
  });
});
