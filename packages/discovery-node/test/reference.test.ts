import { hash } from 'node:crypto';
import type { Plan, PlannedItem } from '../src/demo/plan.js';
import { Reference } from '../src/demo/reference.js';

const SLOT = 900;
const FIRST = 9000;

function item(fingerprint: string, publishAt: number, expiration: number): PlannedItem {
  return { relay: { fingerprint, address: [] }, publishAt, expiration };
}

const a1 = item('a', 8000, 9900);
const a2 = item('a', 9100, 9902);
const b = item('b', 8000, 9000);
const c = item('c', 8000, 20_000);
const late = item('B', 9950, 20_000);
const plan: Plan = {
  slotSeconds: SLOT,
  startAt: 8000,
  rounds: [
    { at: FIRST, items: [c, b, a1], gone: 0 },
    { at: FIRST + SLOT, items: [a2], gone: 0 },
    { at: FIRST + 2 * SLOT, items: [late], gone: 0 },
  ],
};
const trial = item('c', 9000, 20_001);

/** An item's bytes are its expiration in decimal. */
const encode = ({ relay, expiration }: PlannedItem) => ({
  identity: relay.fingerprint,
  bytes: Buffer.from(String(expiration)),
});

/** The bytes of a listing with times below 2^14, written out by hand. */
function listing(creation: number, ...items: string[]): Buffer {
  const varint = (value: number): number[] => [(value & 127) | 128, value >> 7];
  return Buffer.concat([
    Buffer.from([10, 1, 118]),
    ...items.map((text) => Buffer.concat([Buffer.from([18, text.length]), Buffer.from(text)])),
    Buffer.from([24, ...varint(creation), 32, ...varint(creation + 3 * SLOT)]),
  ]);
}

test.each([
  ['what was published before the first slot, without what ended in time', 0, listing(FIRST, '9900', '20000')],
  ['the newest of each, the trial too, though an older one still holds', 1, listing(FIRST + SLOT, '9902', '20001')],
  ['in the order of bytes, without what is over', 2, listing(FIRST + 2 * SLOT, '20000', '20001')],
])('%s', (_, round, expected) => {
  expect(Buffer.from(new Reference(plan, trial, encode, 'v').listingOf(round))).toEqual(expected);
});

test('every item is encoded once', () => {
  const encoded: string[] = [];
  const counting = (planned: PlannedItem) => {
    encoded.push(hash('sha1', JSON.stringify(planned)));
    return encode(planned);
  };
  const reference = new Reference(plan, trial, counting, 'v');
  for (const round of [0, 1, 2, 2, 1, 0]) reference.listingOf(round);
  expect(new Set(encoded).size).toBe(encoded.length);
});
