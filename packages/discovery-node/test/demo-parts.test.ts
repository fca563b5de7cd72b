import { join } from 'node:path';
import { createTrustRoot, XPX_PROFILE } from '@discovery-raft/psp-pki';
import { ITEM_LIFETIME_SECONDS, planDay, SLOT_SECONDS, trialItem, type PlannedItem } from '../src/demo/plan.js';
import { createPublisher, demoKey, signPlanned, type Publication } from '../src/demo/publisher.js';
import { loadTrace, type ChurnHour, type Relay } from '../src/demo/relays.js';
import { Truth } from '../src/demo/truth.js';
import type { VerifiedDirectory } from '@discovery-raft/discovery-client';
import { NodeError, oneRoot, PkiVerifier } from '../src/index.js';
import { AUTHORITIES, DATES, NOON } from './fixtures/people.js';

const DATA = join(__dirname, '../data');
const HOUR = 3600;
/** A full hour, Unix seconds. */
const FULL_HOUR = 2_000_001_600;

function named(fingerprint: string): Relay {
  return { fingerprint, address: ['192.0.2.1:1'] };
}

function churn(hour: number, published: string[], gone: string[] = []): ChurnHour {
  return { at: FULL_HOUR + hour * HOUR + 60, published: published.map(named), gone };
}

function itemsOf(items: readonly PlannedItem[], fingerprint: string): PlannedItem[] {
  return items.filter(({ relay }) => relay.fingerprint === fingerprint);
}

describe('planDay', () => {
  test('rounds are slots from the hour of the first line on; before the first, every relay publishes', () => {
    const { startAt, rounds } = planDay({ relays: [named('A'), named('B')], churn: [churn(0, []), churn(1, [])] }, 2);
    expect(rounds.map(({ at }) => at)).toEqual([FULL_HOUR, FULL_HOUR + SLOT_SECONDS, FULL_HOUR + 2 * SLOT_SECONDS]);
    expect(startAt).toBeLessThan(FULL_HOUR);
    expect(startAt).toBeGreaterThan(FULL_HOUR - SLOT_SECONDS);
    expect(rounds[0]!.items.map(({ relay, publishAt }) => [relay.fingerprint, publishAt])).toEqual([
      ['A', startAt],
      ['B', startAt],
    ]);
    expect(rounds[1]!.items).toEqual([]);
  });

  test('a relay that stays holds for the whole day, one that leaves ends when the trace says so', () => {
    const { startAt, rounds } = planDay(
      { relays: [named('A'), named('B')], churn: [churn(0, []), churn(1, [], ['B'])] },
      2,
    );
    const [a, b] = rounds[0]!.items;
    expect(a!.expiration).toBe(startAt + ITEM_LIFETIME_SECONDS);
    expect(b!.expiration).toBe(FULL_HOUR + HOUR + 60);
    expect(rounds.map(({ gone }) => gone)).toEqual([0, 0, 1]);
  });

  test('who is gone and published in the same line has not left', () => {
    const { startAt, rounds } = planDay({ relays: [named('A')], churn: [churn(0, ['A'], ['A'])] }, 1);
    expect(rounds[0]!.items[0]!.expiration).toBe(startAt + ITEM_LIFETIME_SECONDS);
    expect(rounds.map(({ gone }) => gone)).toEqual([0, 0]);
  });

  test('a newer item always expires later than the one before, also of a relay that leaves or comes back', () => {
    const days = [churn(0, ['A', 'C']), churn(1, ['A']), churn(2, ['C'], ['A']), churn(3, ['A'])];
    const { rounds } = planDay({ relays: [named('A')], churn: days }, 4);
    const all = rounds.flatMap(({ items }) => items);
    const leaves = FULL_HOUR + 2 * HOUR + 60;
    expect(itemsOf(all, 'A').map(({ expiration }) => expiration)).toEqual([
      leaves - 2,
      leaves - 1,
      leaves,
      FULL_HOUR + 3 * HOUR + 60 + ITEM_LIFETIME_SECONDS,
    ]);
    expect(itemsOf(all, 'C')).toHaveLength(2);
  });

  test('a new leader is tried with what a relay publishes next, or with a refresh that nothing follows', () => {
    const item = (fingerprint: string): PlannedItem => ({ relay: named(fingerprint), publishAt: 1, expiration: 100 });
    const round = (at: number, ...items: PlannedItem[]) => ({ at, items, gone: 0 });
    const first = round(10, item('A'), item('B'));
    expect(
      trialItem({ slotSeconds: SLOT_SECONDS, startAt: 0, rounds: [first, round(20, item('C'), item('B'))] }),
    ).toEqual(item('C'));
    expect(
      trialItem({ slotSeconds: SLOT_SECONDS, startAt: 0, rounds: [first, round(20), round(30, item('A'))] }),
    ).toEqual({
      ...item('B'),
      expiration: 101,
    });
  });

  test('shorter slots make more rounds; what comes in the minute before a slot is meant for the next', () => {
    const lines = [churn(0, []), { ...churn(0, ['A']), at: FULL_HOUR + 1800 - 30 }];
    const { startAt, slotSeconds, rounds } = planDay({ relays: [], churn: lines }, 1, 900);
    expect(slotSeconds).toBe(900);
    expect(startAt).toBe(FULL_HOUR - 750);
    expect(rounds.map(({ at }) => at)).toEqual([0, 1, 2, 3, 4].map((slot) => FULL_HOUR + slot * 900));
    expect(rounds.map(({ items }) => items.length)).toEqual([0, 0, 0, 1, 0]);
  });

  test('of the real day: every publish is in the round after it, ends after it begins, and newer ends later', async () => {
    const { rounds } = planDay(await loadTrace(DATA), 24);
    expect(rounds).toHaveLength(25);
    const last = new Map<string, PlannedItem>();
    for (const [i, { at, items }] of rounds.entries()) {
      for (const item of items) {
        const before = last.get(item.relay.fingerprint);
        const fine =
          item.publishAt <= at - 60 &&
          (i === 0 || item.publishAt > rounds[i - 1]!.at - 60) &&
          item.expiration > item.publishAt &&
          item.expiration - item.publishAt <= ITEM_LIFETIME_SECONDS &&
          (before === undefined || (item.expiration > before.expiration && item.publishAt >= before.publishAt));
        if (!fine) throw new Error(`round ${i}: ${JSON.stringify({ item, before })}`);
        last.set(item.relay.fingerprint, item);
      }
    }
    expect(rounds[0]!.items).toHaveLength(10_139);
    expect(rounds.slice(1).some(({ items }) => items.length > 0)).toBe(true);
    expect(rounds.slice(1).some(({ gone }) => gone > 0)).toBe(true);
  });
});

describe('loadTrace', () => {
  test('with a limit, only the first relays and the churn that concerns them', async () => {
    const whole = await loadTrace(DATA);
    const some = await loadTrace(DATA, 50);
    expect(some.relays).toEqual(whole.relays.slice(0, 50));
    const known = new Set(some.relays.map(({ fingerprint }) => fingerprint));
    for (const { published, gone } of some.churn) {
      expect(
        [...published.map(({ fingerprint }) => fingerprint), ...gone].every((fingerprint) => known.has(fingerprint)),
      ).toBe(true);
    }
  });

  test('a folder without the data gives a typed error', async () => {
    const loading = loadTrace(join(DATA, 'nowhere'));
    await expect(loading).rejects.toBeInstanceOf(NodeError);
    await expect(loading).rejects.toMatchObject({ code: 'NODE_DATA_UNREADABLE', retryable: false });
  });
});

describe('a publisher of the demonstration', () => {
  test('is always the same, and signs what the network accepts', async () => {
    const dates = { notBefore: DATES.notBefore, notAfter: DATES.notAfter };
    const network = { profile: XPX_PROFILE, authorities: AUTHORITIES, ...dates };
    const publisher = createPublisher(named('A'), network);
    expect(createPublisher(named('A'), network).identity.text).toBe(publisher.identity.text);
    expect(createPublisher(named('B'), network).identity.text).not.toBe(publisher.identity.text);
    expect(demoKey('relay', 'A').publicKey).not.toEqual(demoKey('node', 'A').publicKey);
    const publication = signPlanned(
      publisher,
      { relay: named('A'), publishAt: NOON, expiration: NOON + 60 },
      XPX_PROFILE,
    );
    const root = createTrustRoot({ authorities: AUTHORITIES.map(({ certificate }) => certificate.identity.text) });
    const verdict = await new PkiVerifier(oneRoot(root)).verifyPacket(publication.packet, NOON);
    expect(verdict).toMatchObject({
      ok: true,
      signer: publisher.identity.text,
      itemBytes: publication.itemBytes,
      item: { mode: 'onion', address: ['192.0.2.1:1'], expiration: BigInt(NOON + 60) },
    });
  });
});

describe('Truth.compare', () => {
  function publication(identity: string, expiration: number, ...bytes: number[]): Publication {
    return { identity, publishAt: 0, expiration, itemBytes: Uint8Array.from(bytes), packet: new Uint8Array(0) };
  }

  function directory(...items: Publication[]): Pick<VerifiedDirectory, 'creation' | 'items' | 'itemBytes'> {
    return {
      creation: 100,
      items: items.map(({ identity }) => ({ identity }) as VerifiedDirectory['items'][number]),
      itemBytes: items.map(({ itemBytes }) => itemBytes),
    };
  }

  const a = publication('a', 101, 1);
  const b = publication('b', 500, 2);
  const over = publication('c', 100, 3);
  const olderD = publication('d', 200, 4);
  const newerD = publication('d', 300, 5);

  function truth(): Truth {
    const known = new Truth();
    for (const each of [a, b, over, olderD, newerD]) known.add(each);
    return known;
  }

  test.each([
    ['all that holds, each newest', [a, b, newerD], { lost: 0, wrong: 0 }],
    ['nothing', [], { lost: 3, wrong: 0 }],
    ['one missing', [a, newerD], { lost: 1, wrong: 0 }],
    ['one that is over', [a, b, over, newerD], { lost: 0, wrong: 1 }],
    ['one that is superseded', [a, b, olderD], { lost: 0, wrong: 1 }],
    ['one that nobody published', [a, b, newerD, publication('z', 500, 9)], { lost: 0, wrong: 1 }],
    ['one with other bytes', [a, publication('b', 500, 7), newerD], { lost: 0, wrong: 1 }],
    ['one with fewer bytes', [a, publication('b', 500), newerD], { lost: 0, wrong: 1 }],
    ['one twice', [a, a, b, newerD], { lost: 0, wrong: 1 }],
  ])('%s', (_, listed, expected) => {
    expect(truth().compare(directory(...listed))).toEqual(expected);
  });

  test('does not use the truth up', () => {
    const known = truth();
    known.compare(directory());
    expect(known.compare(directory(a, b, newerD))).toEqual({ lost: 0, wrong: 0 });
  });
});
