import fc from 'fast-check';
import { compareIdentities, compareRecords } from '../src/index.js';
import { IdentityOrder } from '../src/state/record-order.js';

const text = fc.string({
  unit: fc.constantFrom('a', 'b', '.', '\u00e9', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'),
});

describe('the order of the list', () => {
  it('is that of the UTF-8 bytes of the identities', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareIdentities(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 2000 },
    );
  });

  it('is the same for identities that were admitted, whichever came first', () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), (identities) => {
        const order = new IdentityOrder();
        const admitted: string[] = [];
        for (const identity of identities) {
          order.admit(identity);
          admitted.push(identity);
          for (const other of admitted) {
            expect(Math.sign(order.compare(identity, other))).toBe(Math.sign(compareIdentities(identity, other)));
          }
        }
        expect(admitted.toSorted(order.compare)).toEqual(identities.toSorted(compareIdentities));
      }),
    );
  });

  it('goes by expiration and then by log index within an identity', () => {
    const places = [
      { identity: 'b', expiration: 1, index: 1 },
      { identity: 'a', expiration: 2, index: 3 },
      { identity: 'a', expiration: 2, index: 2 },
      { identity: 'a', expiration: 1, index: 9 },
    ];
    expect(places.toSorted(compareRecords).map(({ index }) => index)).toEqual([9, 2, 3, 1]);
  });
});
