import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  DiscoveryItemSchema,
  PublishToDiscoveryResultSchema,
  PublishToDiscoverySchema,
  type DiscoveryItem,
} from '@discovery-raft/protocol';
import fc from 'fast-check';
import {
  decodeDiscoveryBody,
  DEFAULT_LIMITS,
  discoveryMessage,
  encodeDiscoveryBody,
  itemShapeFault,
  readDiscoveryItem,
  readItemClaims,
} from '../src/index.js';
import { codeOf } from './messages.js';

// The codecs that are written by hand, held against the generated code.

const uint64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const safe = fc.bigInt({ min: 0n, max: BigInt(Number.MAX_SAFE_INTEGER) });
const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'grapheme', maxLength: 20 }));
const items = fc.record({
  version: text,
  identity: text,
  fingerprint: text,
  handshake: text,
  mode: text,
  address: fc.array(text, { maxLength: 4 }),
  expiration: uint64,
});

/** Field 99 in each wire type, which no reader knows. */
const UNKNOWN = [
  Uint8Array.of(0x98, 0x06, 0x96, 0x01),
  Uint8Array.of(0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8),
  Uint8Array.of(0x9a, 0x06, 2, 1, 2),
  Uint8Array.of(0x9d, 0x06, 1, 2, 3, 4),
];

function generated(bytes: Uint8Array): DiscoveryItem {
  return fromBinary(DiscoveryItemSchema, bytes, { readUnknownFields: false });
}

describe('readDiscoveryItem', () => {
  test('reads what the generated code reads, and skips what it skips', () => {
    fc.assert(
      fc.property(items, fc.constantFrom(...UNKNOWN, new Uint8Array(0)), (fields, unknown) => {
        const known = toBinary(DiscoveryItemSchema, create(DiscoveryItemSchema, fields));
        for (const bytes of [known, new Uint8Array([...unknown, ...known, ...unknown])]) {
          expect(readDiscoveryItem(bytes)).toEqual(generated(bytes));
        }
      }),
    );
  });

  test('of a field that comes twice, the last counts, as everywhere in protobuf', () => {
    fc.assert(
      fc.property(items, items, (a, b) => {
        const both = [a, b].flatMap((fields) => [
          ...toBinary(DiscoveryItemSchema, create(DiscoveryItemSchema, fields)),
        ]);
        expect(readDiscoveryItem(Uint8Array.from(both))).toEqual(generated(Uint8Array.from(both)));
      }),
    );
  });

  test.each([
    ['a long form of a small number', [0x38, 0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    ['the largest number', [0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['bits above 64', [0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['2^49', [0x38, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
  ])('an expiration in %s', (_, bytes) => {
    expect(readDiscoveryItem(Uint8Array.from(bytes))).toEqual(generated(Uint8Array.from(bytes)));
  });

  test.each([
    ['a text that is no UTF-8', [0x0a, 1, 0xff]],
    ['a text that ends too early', [0x0a, 5, 0x41]],
    ['a number that ends too early', [0x38, 0x80]],
    ['a number of 11 bytes', [0x38, ...Array<number>(10).fill(0x80), 0]],
    ['field 0', [0x02, 0]],
  ])('refuses %s', (_, bytes) => {
    expect(readDiscoveryItem(Uint8Array.from(bytes))).toBeUndefined();
    expect(() => generated(Uint8Array.from(bytes))).toThrow();
  });

  test('U+FFFD in a text is a character like any other', () => {
    const bytes = toBinary(DiscoveryItemSchema, create(DiscoveryItemSchema, { mode: '\uFFFD' }));
    expect(readDiscoveryItem(bytes)?.mode).toBe('\uFFFD');
  });

  test('any bytes give an item or nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const item = readDiscoveryItem(bytes);
        if (item !== undefined) itemShapeFault(item);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('readItemClaims', () => {
  const claims = (bytes: Uint8Array): unknown => {
    const item = readDiscoveryItem(bytes);
    return item === undefined ? undefined : { identity: item.identity, expiration: item.expiration };
  };

  test('says what the whole item says, also when a byte of it is damaged', () => {
    const damage = fc.record({ at: fc.nat(), byte: fc.nat(255) });
    fc.assert(
      fc.property(items, damage, fc.constantFrom(...UNKNOWN), (fields, { at, byte }, unknown) => {
        const bytes = new Uint8Array([
          ...toBinary(DiscoveryItemSchema, create(DiscoveryItemSchema, fields)),
          ...unknown,
        ]);
        expect(readItemClaims(bytes)).toEqual(claims(bytes));
        expect(readItemClaims(bytes, fields.identity)).toEqual(claims(bytes));
        bytes[at % bytes.length] = byte;
        expect(readItemClaims(bytes)).toEqual(claims(bytes));
        expect(readItemClaims(bytes, fields.identity)).toEqual(claims(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  test('of any bytes it says the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(readItemClaims(bytes)).toEqual(claims(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the messages of a publish', () => {
  test('PublishToDiscovery is read as the generated code reads it', () => {
    const fields = fc.record({ version: text, signedDiscoveryItem: fc.uint8Array({ maxLength: 50 }), requestID: safe });
    fc.assert(
      fc.property(fields, fc.constantFrom(...UNKNOWN), (publish, unknown) => {
        const known = toBinary(PublishToDiscoverySchema, create(PublishToDiscoverySchema, publish));
        for (const bytes of [known, new Uint8Array([...unknown, ...known])]) {
          const body = fromBinary(PublishToDiscoverySchema, bytes, { readUnknownFields: false });
          expect(decodeDiscoveryBody('publishToDiscovery', bytes)).toEqual({ event: 'publishToDiscovery', body });
        }
      }),
    );
  });

  test('PublishToDiscovery keeps to the limits of every message', () => {
    const decode = (bytes: number[]) => () => decodeDiscoveryBody('publishToDiscovery', Uint8Array.from(bytes));
    const most = Array.from({ length: DEFAULT_LIMITS.maxBodyFields }, () => [0x18, 1]).flat();
    expect(decode(most)()).toMatchObject({ body: { requestID: 1n } });
    expect(codeOf(decode([...most, 0x18, 1]))).toBe('ENVELOPE_TOO_LARGE');
    expect(codeOf(decode([0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]))).toBe('ENVELOPE_INVALID_VALUE');
    expect(codeOf(decode([0x0a, 1, 0xff]))).toBe('ENVELOPE_MALFORMED');
    expect(codeOf(decode([0x12, 5, 1]))).toBe('ENVELOPE_TRUNCATED');
  });

  test('PublishToDiscoveryResult is written as the generated code writes it', () => {
    const fields = fc.record({ requestID: safe, code: fc.nat(), detail: text });
    fc.assert(
      fc.property(fields, (result) => {
        const message = discoveryMessage('publishToDiscoveryResult', result);
        expect(encodeDiscoveryBody(message)).toEqual(toBinary(PublishToDiscoveryResultSchema, message.body));
      }),
    );
    const tooLarge = discoveryMessage('publishToDiscoveryResult', { requestID: 1n << 60n });
    expect(codeOf(() => encodeDiscoveryBody(tooLarge))).toBe('ENVELOPE_INVALID_VALUE');
  });
});
