import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema, DiscoveryListingSchema } from '@discovery-raft/protocol';
import fc from 'fast-check';
import { isTwoFaced } from '../src/policy/two-faced.js';
import { identityOf, makeItem, VERSION } from './fixtures/fake-crypto.js';

/** A signed message as it is laid out: method, length of the message, the message, and what follows. */
function messageOf(method: number, message: Uint8Array, rest: Uint8Array): Uint8Array {
  const head = new Uint8Array(5);
  head[0] = method;
  new DataView(head.buffer).setUint32(1, message.length);
  return Uint8Array.from([...head, ...message, ...rest]);
}

const LISTING = toBinary(
  DiscoveryListingSchema,
  create(DiscoveryListingSchema, { version: VERSION, creation: 1n, expiration: 2n, items: [new Uint8Array(9)] }),
);

describe('a packet that can be read as another message', () => {
  test('is told, however far a reader goes in what it takes', () => {
    expect(isTwoFaced(LISTING)).toBe(true);
    for (const unknown of [
      [0xed, 0, 0, 1, 2, 3], // A field of 4 bytes, its tag in more bytes than it needs.
      [0xe8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 5], // The same in ten.
      [0x69, 1, 2, 3, 4, 5, 6, 7, 8],
      [0x6a, 3, 1, 2, 3],
      [0x6b, 0x6c], // A group.
    ]) {
      expect(isTwoFaced(Uint8Array.from([...unknown, ...LISTING]))).toBe(true);
      expect(isTwoFaced(Uint8Array.from([...LISTING, ...unknown]))).toBe(true);
    }
  });

  test('is none when no reader comes to its end', () => {
    for (const bytes of [[0x6a, 3, 1, 2], [0x6d, 1, 2, 3], [0x68, 0x80], [0x02, 0], [0x6f], [0x6e, 1], [0x80]]) {
      expect(isTwoFaced(Uint8Array.from([...LISTING, ...bytes]))).toBe(false);
    }
  });

  test('is none that an encoder of items makes, whatever the item says and by whomever it is signed', () => {
    const text = fc.string({ minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(
        fc.constantFrom(0xe0, 0xed),
        fc.record({ address: fc.array(text, { maxLength: 8 }), mode: text, fingerprint: text, handshake: text }),
        fc.uint8Array({ minLength: 64, maxLength: 600 }),
        (method, change, rest) => {
          const item = makeItem({ name: 'a', expiration: 2_000_000_000, change });
          expect(item.identity).toBe(identityOf('a'));
          expect(isTwoFaced(messageOf(method, toBinary(DiscoveryItemSchema, item), rest))).toBe(false);
        },
      ),
    );
  });
});
