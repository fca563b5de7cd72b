import fc from 'fast-check';
import { resolveConfig } from '../src/index.js';
import { makeContext } from '../src/runtime/context.js';
import { RecordBook } from '../src/runtime/record-book.js';
import { Tally } from '../src/runtime/tally.js';
import { verdictOf } from '../src/runtime/verification-queue.js';
import type { ConsensusPorts, ListedAttestation, ListedRecord, ListedView } from '../src/index.js';
import type { JudgedEntry } from '../src/policy/judgement.js';
import { FakeSigner, FakeVerifier, identityOf, makePacket, sha256 } from './fixtures/fake-crypto.js';
import { settle } from './fixtures/virtual-time.js';

const SELF = identityOf('self', 'discovery');
const PEER = identityOf('peer', 'discovery');
/** Times of these tests are small, so that dates fall on all sides of them. */
const FIRST_SEEN = 10;

function makeBook(slices: { recordsPerSlice?: number; yieldNow?: () => Promise<void> } = {}): {
  book: RecordBook;
  verifier: FakeVerifier;
} {
  const verifier = new FakeVerifier();
  const { recordsPerSlice = 2048, yieldNow } = slices;
  const members = [SELF, PEER].map((identity) => ({ identity }));
  const ports = {
    verifier,
    sha256,
    signer: new FakeSigner(SELF),
    clock: { now: () => 0, wallNow: () => FIRST_SEEN * 1000, setTimer: () => ({ cancel: () => undefined }) },
    yieldNow,
  } as unknown as ConsensusPorts;
  const context = makeContext(resolveConfig({ members, recordsPerSlice }, SELF), ports, new Tally(), () => undefined);
  return { book: new RecordBook(context), verifier };
}

interface RecordPlan {
  readonly expiration: number;
  readonly authentic: boolean;
  readonly dates: readonly [number, number];
  readonly words: readonly { readonly dates: readonly [number, number]; readonly expiration: number }[];
}

async function recordOf(plan: RecordPlan, index: number): Promise<ListedRecord> {
  const name = `relay${String(index)}`;
  const { expiration, authentic } = plan;
  const [notBefore, notAfter] = plan.dates;
  const packet = makePacket({ name, expiration, authentic, notBefore, notAfter });
  const attestations = await Promise.all(
    plan.words.map(async (word, i) => {
      const signer = new FakeSigner([SELF, PEER][i]!);
      signer.validity = { notBefore: word.dates[0], notAfter: word.dates[1] };
      return { attester: signer.identity, signature: await signer.sign(packet), expiration: word.expiration };
    }),
  );
  const attesters = attestations.map(({ attester }) => attester);
  return listed({ index, identity: identityOf(name), packet, expiration, attestations, attesters });
}

function listed(fields: Omit<ListedRecord, 'hasPacket' | 'peekPacket' | 'isLive'>): ListedRecord {
  const hasPacket = (other: Uint8Array): boolean => Buffer.compare(fields.packet, other) === 0;
  return { ...fields, hasPacket, peekPacket: () => fields.packet, isLive: true };
}

function viewOf(records: readonly ListedRecord[]): ListedView {
  return { index: 1, size: records.length, get: () => [], entries: () => records };
}

/** What a book found, as plain objects. */
function plain(entries: readonly JudgedEntry[]): JudgedEntry[] {
  return entries.map(({ identity, expiration, itemBytes, itemLength, attestations }) => {
    expect(itemLength).toBe(itemBytes?.length);
    return { identity, expiration, itemBytes: itemBytes?.slice(), itemLength, attestations };
  });
}

/** The same record in a later entry of the log: equal bytes, none of them the same. */
function repeated({ peekPacket, hasPacket, ...fields }: ListedRecord): ListedRecord {
  expect(peekPacket()).toBe(fields.packet);
  expect(hasPacket(fields.packet)).toBe(true);
  return listed({ ...structuredClone(fields), index: fields.index + 1000 });
}

/** The record is in the list no more. */
function leave(record: ListedRecord): void {
  Object.assign(record, { isLive: false });
}

test('a book that is closed begins no verification any more: what waits is refused, at once and for now only', async () => {
  const { book, verifier } = makeBook();
  const plan: RecordPlan = { expiration: 100, authentic: true, dates: [0, 200], words: [] };
  const records = await Promise.all(Array.from({ length: 500 }, (_, i) => recordOf(plan, i)));
  const entries = records.map((record) => book.enter(record));
  book.close();
  const verdicts = await Promise.all(entries.map(verdictOf));
  const begun = verifier.packets;
  expect(begun).toBeLessThan(records.length);
  expect(verdicts.filter(({ ok }) => ok)).toHaveLength(begun);
  expect(verdicts.at(-1)).toEqual({ ok: false, code: 'stopped', timeDependent: true });
  expect(book.pending).toBe(0);
});

const moment = fc.integer({ min: 0, max: 20 });
const dates = fc.tuple(moment, moment);
const plans = fc.array(
  fc.record({
    expiration: moment,
    authentic: fc.boolean(),
    dates,
    words: fc.array(fc.record({ dates, expiration: moment }), { maxLength: 2 }),
  }),
  { maxLength: 5 },
);

describe('RecordBook', () => {
  test('judges at any time as a book does that never judged before', async () => {
    await fc.assert(
      fc.asyncProperty(plans, fc.array(moment, { minLength: 1, maxLength: 8 }), async (planned, times) => {
        const view = viewOf(await Promise.all(planned.map(recordOf)));
        const { book } = makeBook();
        for (const time of times) {
          expect(plain(await book.judge(view, time))).toEqual(plain(await makeBook().book.judge(view, time)));
        }
      }),
      { numRuns: 200 },
    );
  });

  test('judges a record at a time as it does all at one go, and lets others have a turn in between', async () => {
    await fc.assert(
      fc.asyncProperty(plans, moment, async (planned, time) => {
        const view = viewOf(await Promise.all(planned.map(recordOf)));
        let turns = 0;
        const sliced = makeBook({
          recordsPerSlice: 1,
          yieldNow: () => {
            turns++;
            return settle();
          },
        });
        const whole = plain(await makeBook().book.judge(view, time));
        expect(plain(await sliced.book.judge(view, time))).toEqual(whole);
        expect(turns).toBeGreaterThanOrEqual(planned.length);
        await sliced.book.prune(() => false);
        expect(sliced.book.size).toBe(planned.length);
        expect(plain(await sliced.book.judge(view, time))).toEqual(whole);
      }),
      { numRuns: 50 },
    );
  });

  test('what is known at a moment counts at once, and what is not known yet for nothing', async () => {
    const words = [{ dates: [0, 30] as const, expiration: 30 }];
    const plan = { expiration: 30, authentic: true, dates: [0, 25] as const, words };
    const [known, unknown] = await Promise.all([1, 2].map((index) => recordOf(plan, index)));
    const { book, verifier } = makeBook();
    await book.judge(viewOf([known!]), 11);
    verifier.gate = new Promise(() => undefined);
    const judged = await book.judgeWhatIsKnown(viewOf([known!, unknown!]), 12);
    expect(judged).toMatchObject([{ attestations: 1 }, { itemBytes: undefined, attestations: 0 }]);
    expect(judged[0]!.itemBytes).toBeDefined();
    const [late] = await book.judgeWhatIsKnown(viewOf([known!]), 26);
    expect(late).toMatchObject({ itemBytes: undefined, attestations: 1 });
  });

  test('asks the verifier nothing that it recalls, as long as that holds', async () => {
    const words = [{ dates: [0, 30] as const, expiration: 30 }];
    const record = await recordOf({ expiration: 30, authentic: true, dates: [0, 25], words }, 1);
    const before = makeBook();
    const expected = plain(await before.book.judge(viewOf([record]), 11));
    const verdict = await before.verifier.verifyPacket(record.packet, 11);
    const [slot] = before.book.packet(record.packet).attestations;
    const { book, verifier } = makeBook();
    Object.assign(verifier, { recallPacket: () => verdict, recallSignature: () => slot!.verdict });
    expect(plain(await book.judge(viewOf([record]), 11))).toEqual(expected);
    expect([verifier.packets, verifier.signatures]).toEqual([0, 0]);
    const outdated = makeBook();
    const tooOld = { ...verdict, notAfter: FIRST_SEEN - 1 };
    Object.assign(outdated.verifier, { recallPacket: () => tooOld });
    expect(plain(await outdated.book.judge(viewOf([record]), 11))).toEqual(expected);
    expect([outdated.verifier.packets, outdated.verifier.signatures]).toEqual([1, 1]);
  });

  test('verifies what it has judged no more, as long as no date is passed', async () => {
    const words = [0, 1].map(() => ({ dates: [0, 30] as const, expiration: 30 }));
    const record = await recordOf({ expiration: 30, authentic: true, dates: [0, 25], words }, 1);
    const { book, verifier } = makeBook();
    for (const time of [10, 11, 25, 12]) await book.judge(viewOf([record]), time);
    expect([verifier.packets, verifier.signatures]).toEqual([1, 2]);
    const [late] = await book.judge(viewOf([record]), 26);
    expect(late).toMatchObject({ itemBytes: undefined, attestations: 2 });
    expect([verifier.packets, verifier.signatures]).toEqual([2, 2]);
  });

  test('asks once, and not in every round, for what has expired; a verifier that cannot tell is asked again', async () => {
    const words = [{ dates: [0, 20] as const, expiration: 90 }];
    const record = await recordOf({ expiration: 90, authentic: true, dates: [0, 25], words }, 1);
    const { book, verifier } = makeBook();
    const view = viewOf([record]);
    await book.judge(view, 10);
    for (const time of [30, 31, 40]) {
      expect(await book.judge(view, time)).toMatchObject([{ itemBytes: undefined, attestations: 0 }]);
    }
    expect([verifier.packets, verifier.signatures]).toEqual([2, 2]);
    // For an earlier time it says nothing.
    expect(await book.judge(view, 19)).toMatchObject([{ attestations: 1 }]);
    const failing = makeBook();
    await failing.book.judge(view, 10);
    const { verifier: broken } = failing;
    const works = broken.verifySignature.bind(broken);
    broken.verifySignature = () => Promise.reject(new Error('no thread'));
    await failing.book.judge(view, 30);
    broken.verifySignature = works;
    await failing.book.judge(view, 31);
    expect(broken.signatures).toBe(2);
  });

  test('holds the bytes of the newest record only, whatever message or record was verified', async () => {
    const record = await recordOf(
      { expiration: 30, authentic: true, dates: [0, 30], words: [{ dates: [0, 30], expiration: 30 }] },
      1,
    );
    const { book, verifier } = makeBook();
    const entry = book.packet(record.packet.slice());
    await book.attestation(entry, SELF, structuredClone(record.attestations[0]!.signature));
    const newest = repeated(record);
    expect(book.enter(record)).toBe(entry);
    expect(book.enter(newest)).toBe(entry);
    expect(entry.packet).toBe(newest.packet);
    const [{ signature }] = newest.attestations as [ListedAttestation];
    expect(entry.attestations.map((slot) => slot.signature)).toEqual([signature]);
    await settle();
    expect([verifier.packets, verifier.signatures]).toEqual([1, 1]);
    expect([entry.job, entry.attestations[0]!.job, entry.waiting]).toEqual([undefined, undefined, undefined]);
  });

  test('forgets what has left the list, and keeps what is needed or still in it', async () => {
    const plan = { expiration: 30, authentic: true, dates: [0, 30] as const, words: [] };
    const [stays, needed, gone] = await Promise.all([1, 2, 3].map((index) => recordOf(plan, index)));
    const { book } = makeBook();
    await book.judge(viewOf([stays!, needed!, gone!]), 11);
    const isNeeded = book.enter(needed!);
    await book.prune(() => false);
    expect(book.size).toBe(3);
    leave(needed!);
    leave(gone!);
    await book.judge(viewOf([stays!]), 12);
    await book.prune((entry) => entry === isNeeded);
    expect(book.size).toBe(2);
    expect(book.packet(stays!.packet)).toBe(book.enter(stays!));
    expect(book.packet(needed!.packet)).toBe(isNeeded);
    await book.prune(() => false);
    expect(book.size).toBe(1);
  });

  test('forgets what left the list before anybody looked through it, and what never came into it', async () => {
    const plan = { expiration: 30, authentic: true, dates: [0, 30] as const, words: [] };
    const [brief, sent, replaced] = await Promise.all([1, 2, 3].map((index) => recordOf(plan, index)));
    const { book } = makeBook();
    await verdictOf(book.enter(brief!));
    await verdictOf(book.packet(sent!.packet));
    await verdictOf(book.enter(replaced!));
    leave(brief!);
    leave(replaced!);
    const newer = repeated(replaced!);
    expect(book.enter(newer)).toBe(book.packet(newer.packet));
    await book.prune(() => false);
    expect(book.size).toBe(1);
    await book.judge(viewOf([newer]), 11);
    await book.prune(() => false);
    leave(newer);
    await book.prune(() => false);
    expect(book.size).toBe(1);
    await book.judge(viewOf([]), 12);
    await book.prune(() => false);
    expect(book.size).toBe(0);
  });

  test('keeps what is still being verified', async () => {
    const record = await recordOf({ expiration: 30, authentic: true, dates: [0, 30], words: [] }, 1);
    const { book, verifier } = makeBook();
    let open = (): void => undefined;
    verifier.gate = new Promise((resolve) => (open = resolve));
    const entry = book.packet(record.packet);
    await book.prune(() => false);
    expect(book.size).toBe(1);
    open();
    await verdictOf(entry);
    await book.prune(() => false);
    expect(book.size).toBe(0);
  });

  test('forgets forged attestations that no record has any more, and none that one has', async () => {
    const words = [{ dates: [0, 30] as const, expiration: 30 }];
    const forged = await recordOf({ expiration: 30, authentic: true, dates: [0, 30], words }, 1);
    Object.assign(forged.attestations[0]!, { attester: PEER });
    const { book } = makeBook();
    await book.judge(viewOf([forged]), 11);
    const entry = book.enter(forged);
    const bad = structuredClone(forged.attestations[0]!.signature);
    bad.signature[0]! ^= 1;
    await expect(book.attestation(entry, SELF, bad)).resolves.toMatchObject({ ok: false });
    expect(entry.attestations).toHaveLength(2);
    await book.prune(() => false);
    expect(entry.attestations).toHaveLength(1);
    await book.judge(viewOf([forged]), 12);
    await book.prune(() => false);
    expect(entry.attestations).toHaveLength(1);
  });

  test('knows as much after any history of lists and prunings as of the last list alone', async () => {
    const plan = { expiration: 30, authentic: true, dates: [0, 30] as const, words: [] };
    const steps = fc.array(fc.tuple(fc.subarray([0, 1, 2, 3, 4, 5]), fc.boolean(), fc.boolean()), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const { book } = makeBook();
        let present: ListedRecord[] = [];
        let index = 0;
        for (const [names, isLooked, isPruned] of history) {
          for (const record of present)
            if (!names.some((name) => record.identity === identityOf(`relay${name}`))) leave(record);
          const kept = present.filter(({ isLive }) => isLive);
          const missing = names.filter((name) => !kept.some(({ identity }) => identity === identityOf(`relay${name}`)));
          const came = await Promise.all(
            missing.map(async (name) => ({ ...(await recordOf(plan, name)), index: ++index })),
          );
          present = [...kept, ...came].toSorted((a, b) => (a.identity < b.identity ? -1 : 1));
          for (const record of came) await verdictOf(book.enter(record));
          if (isLooked) await book.judge(viewOf(present), 11);
          if (isPruned) await book.prune(() => false);
        }
        await book.judge(viewOf(present), 12);
        await book.prune(() => false);
        expect(book.size).toBe(present.length);
      }),
      { numRuns: 100 },
    );
  });
});
