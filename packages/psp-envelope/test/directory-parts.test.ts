import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  DiscoveryDirectoryPartSchema,
  PullDiscoverySchema,
  type DiscoveryDirectoryPart,
} from '@discovery-raft/protocol';
import fc from 'fast-check';
import {
  answerPull,
  cutDirectory,
  DEFAULT_LIMITS,
  DirectoryAssembler,
  encodeApplicationMessage,
  MIN_DIRECTORY_PART_BYTES,
  noDirectoryPart,
  type DirectoryOffer,
  type ServedDirectory,
} from '../src/index.js';
import { codeOf } from './messages.js';

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
const PART = MIN_DIRECTORY_PART_BYTES;

function bytesOf(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 0xff);
}

function served(length: number, creation = 100): ServedDirectory {
  const body = bytesOf(length);
  return { body, digest: sha256(body), creation };
}

function parts(length: number, seed = 1): DiscoveryDirectoryPart[] {
  const whole = bytesOf(length, seed);
  return [...cutDirectory(whole, { requestID: 7n, digest: sha256(whole), partBytes: PART })];
}

function assembler(maxDirectoryBytes = 1_000_000): DirectoryAssembler {
  return new DirectoryAssembler({ maxDirectoryBytes });
}

describe('parts', () => {
  test('are full but for the last, and come together again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 * PART }), (length) => {
        const cut = parts(length);
        const joined = assembler();
        const results = cut.map((part) => joined.push(part));
        expect(cut.slice(0, -1).every(({ content }) => content.length === PART)).toBe(true);
        expect(results.slice(0, -1).every((result) => result === undefined)).toBe(true);
        return Buffer.from(results.at(-1)!).equals(bytesOf(length));
      }),
      { numRuns: 20 },
    );
  });

  test.each<[string, string, (cut: DiscoveryDirectoryPart[]) => DiscoveryDirectoryPart[]]>([
    ['out of order', 'ENVELOPE_BAD_FRAMING', ([a, b, c]) => [a!, c!, b!]],
    ['not from the first', 'ENVELOPE_BAD_FRAMING', ([, b]) => [b!]],
    ['twice', 'ENVELOPE_BAD_FRAMING', ([a]) => [a!, a!]],
    ['with a gap', 'ENVELOPE_BAD_FRAMING', ([a, , c]) => [a!, c!]],
    ['of two directories', 'ENVELOPE_BAD_FRAMING', ([a]) => [a!, parts(3 * PART, 9)[1]!]],
    ['with another count', 'ENVELOPE_BAD_FRAMING', ([a, b]) => [a!, { ...b!, count: 2 }]],
    ['with another total', 'ENVELOPE_BAD_FRAMING', ([a, b]) => [a!, { ...b!, totalBytes: 1n }]],
    ['too small before the last', 'ENVELOPE_BAD_FRAMING', ([a]) => [{ ...a!, content: a!.content.subarray(1) }]],
    ['too long', 'ENVELOPE_BAD_FRAMING', ([a]) => [{ ...a!, content: bytesOf(4 * PART) }]],
    ['too short at the end', 'ENVELOPE_BAD_FRAMING', ([a, b, c]) => [a!, b!, { ...c!, content: bytesOf(1) }]],
    ['too many for the size', 'ENVELOPE_INVALID_VALUE', ([a]) => [{ ...a!, count: 4 }]],
    ['of none', 'ENVELOPE_INVALID_VALUE', () => [noDirectoryPart(7n)]],
    ['with half a digest', 'ENVELOPE_INVALID_VALUE', ([a]) => [{ ...a!, digest: bytesOf(16) }]],
    ['of a directory over the limit', 'ENVELOPE_TOO_LARGE', ([a]) => [{ ...a!, totalBytes: 1_000_001n }]],
    ['of a directory without end', 'ENVELOPE_TOO_LARGE', ([a]) => [{ ...a!, totalBytes: (1n << 64n) - 1n }]],
  ])('%s are refused', (_, code, change) => {
    const joined = assembler();
    const wrong = change(parts(3 * PART));
    expect(codeOf(() => wrong.forEach((part) => joined.push(part)))).toBe(code);
  });
});

test('a part is copied: its bytes may be used again', () => {
  const joined = assembler();
  const [a, b] = parts(2 * PART).map((part) => ({ ...part, content: part.content.slice() }));
  joined.push(a!);
  a!.content.fill(0);
  const whole = joined.push(b!)!;
  b!.content.fill(0);
  expect(Buffer.from(whole).equals(bytesOf(2 * PART))).toBe(true);
});

describe('the answer to a pull', () => {
  const limits = { ...DEFAULT_LIMITS, maxMessageBytes: 40_000 };
  const small = served(1000);
  const large = served(100_000);
  const short = served(2000, 50);
  const deployed = create(PullDiscoverySchema, { version: 'xpx-discovery-1.0' });
  const extended = create(PullDiscoverySchema, { requestID: 7n, maxDirectoryBytes: 200_000n });
  const offer = (full: ServedDirectory | null, of: ServedDirectory | null = null): DirectoryOffer => ({
    full,
    short: () => of,
  });
  const answer = (pull: typeof deployed, what: DirectoryOffer) => [...answerPull(pull, what, { limits })];

  test.each([
    ['without extensions gets what fits', deployed, offer(small), [small]],
    ['without extensions gets the short one when the full one does not fit', deployed, offer(large, short), [short]],
    ['without extensions gets nothing rather than what it refuses', deployed, offer(large, large), []],
    ['without extensions gets nothing when there is nothing', deployed, offer(null, short), []],
    ['with extensions gets whole what fits', extended, offer(small), [small]],
  ])('an asker %s', (_, pull, what, expected) => {
    expect(answer(pull, what)).toEqual(expected.map(({ body }) => ({ event: 'discoveryDirectory', body: [body] })));
  });

  test('in parts, each within the limit of a message', () => {
    const messages = answer(extended, offer(large, short));
    const joined = assembler();
    const results = messages.map(({ event, body }) => {
      const encoded = Buffer.concat(body);
      expect(encodeApplicationMessage(event, encoded, limits).length + 4).toBeLessThanOrEqual(40_000);
      const part = fromBinary(DiscoveryDirectoryPartSchema, encoded);
      expect(encoded.equals(toBinary(DiscoveryDirectoryPartSchema, part))).toBe(true);
      expect(body.at(-1)!.buffer).toBe(large.body.buffer);
      expect(part.requestID).toBe(7n);
      return joined.push(part);
    });
    expect(results.at(-1)).toEqual(large.body);
    expect(messages).toHaveLength(3);
  });

  test.each([
    ['there is none', offer(null), {}],
    ['there is none newer', offer(small), { newerThan: 100n }],
    ['it would not take it', offer(large, short), { maxDirectoryBytes: 99_999n }],
  ])('an asker with extensions hears that %s', (_, what, fields) => {
    const messages = answer({ ...extended, ...fields }, what);
    expect(messages.map(({ event }) => event)).toEqual(['discoveryDirectoryPart']);
    expect(fromBinary(DiscoveryDirectoryPartSchema, messages[0]!.body[0]!)).toMatchObject({ requestID: 7n, count: 0 });
  });

  test('one that has an older directory gets the newer one', () => {
    expect(answer({ ...extended, newerThan: 99n }, offer(small))).toHaveLength(1);
    expect(answer({ ...extended, newerThan: 99n }, offer(small))[0]).toMatchObject({ event: 'discoveryDirectory' });
  });

  test('nodes with large messages among themselves still cut for deployed clients', () => {
    const wide = { limits: { ...DEFAULT_LIMITS, maxMessageBytes: 1 << 26 }, deployedMessageBytes: 40_000 };
    expect([...answerPull(deployed, offer(large, short), wide)]).toMatchObject([{ body: [short.body] }]);
  });
});
