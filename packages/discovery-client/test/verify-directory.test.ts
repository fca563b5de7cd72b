import { create } from '@bufbuild/protobuf';
import { DiscoveryDirectorySchema, type DiscoveryDirectory } from '@discovery-raft/protocol';
import { shortListingOf } from '@discovery-raft/psp-envelope';
import { verifyDirectory, type RefusedDirectory } from '../src/index.js';
import {
  DATES,
  itemBytes,
  listing,
  network,
  NOON,
  official,
  relayIdentity,
  RELAYS,
  sha256,
  signed,
  tampered,
} from './fixtures/network.js';

const { root, identities } = network(4);

function judge(directory: DiscoveryDirectory, options: Partial<Parameters<typeof verifyDirectory>[1]> = {}) {
  return verifyDirectory(directory, { root, atSeconds: NOON + 10, ...options });
}

function refusal(code: RefusedDirectory['code']) {
  return { ok: false, code };
}

describe('a directory that is to be believed', () => {
  test('gives its dates, its items and who signed', async () => {
    const directory = signed(listing(), identities);
    const verdict = await judge(directory);
    expect(verdict).toMatchObject({
      ok: true,
      creation: NOON,
      expiration: NOON + 2700,
      items: RELAYS.map((identity) => ({ identity, expiration: BigInt(NOON + 3600) })),
      itemBytes: RELAYS.map((identity) => itemBytes(identity)),
      signers: identities.map(({ identity }) => identity),
    });
  });

  test('may be empty', async () => {
    expect(await judge(signed(listing({ items: [] }), identities))).toMatchObject({ ok: true, items: [] });
  });
});

describe('the quorum', () => {
  test.each([
    // n = 4: one may lie, so floor((4 + 1) / 2) + 1 = 3 must sign; of the documented policy, half.
    ['safe', 3, true],
    ['safe', 2, false],
    ['documented', 2, true],
    ['documented', 1, false],
  ] as const)('of the policy %s: %i of 4 signatures', async (policy, count, enough) => {
    const verdict = await judge(signed(listing(), identities.slice(0, count)), { policy });
    expect(verdict).toMatchObject(enough ? { ok: true } : refusal('quorumMissing'));
  });

  test('is of distinct nodes: a signature that is repeated counts once', async () => {
    const [a, b] = identities;
    const verdict = await judge(signed(listing(), [a!, b!, b!, a!, b!]));
    expect(verdict).toMatchObject({ ...refusal('quorumMissing'), detail: '2 of 3 signatures' });
  });

  test('is of discovery nodes of the root: neither strangers nor authorities count', async () => {
    const strangers = [official('stranger', 'discovery'), official('anna', 'auth')];
    const [a, b, c] = identities;
    expect(await judge(signed(listing(), [a!, b!, ...strangers]))).toMatchObject(refusal('quorumMissing'));
    expect(await judge(signed(listing(), [...strangers, a!, b!, c!]))).toMatchObject({
      ok: true,
      signers: [a!.identity, b!.identity, c!.identity],
    });
  });

  test('signatures of other bytes, other certificates or none at all do not count', async () => {
    const good = signed(listing(), identities);
    const other = signed(listing({ items: [] }), identities);
    const [first, second, ...rest] = good.signatures;
    expect(await judge({ ...good, signatures: other.signatures })).toMatchObject(refusal('quorumMissing'));
    expect(await judge({ ...good, signatures: [] })).toMatchObject(refusal('quorumMissing'));
    const swapped = [
      { ...first!, certificate: second!.certificate },
      { ...second!, certificate: first!.certificate },
    ];
    expect(await judge({ ...good, signatures: [...swapped, ...rest] })).toMatchObject(refusal('quorumMissing'));
    const garbage = { ...first!, certificate: Uint8Array.of(1, 2, 3) };
    expect(await judge({ ...good, signatures: [garbage, second!, ...rest] })).toMatchObject({ ok: true });
  });

  test('a node whose certificate has ended does not count', async () => {
    const ended = { notBefore: DATES.notBefore, notAfter: NOON };
    const nodes = identities.map((_, i) => official(`node ${i}`, 'discovery', i < 2 ? ended : DATES));
    expect(nodes[0]!.identity).toBe(identities[0]!.identity);
    expect(await judge(signed(listing(), nodes))).toMatchObject(refusal('quorumMissing'));
  });

  test('more signatures than twice the nodes are not even looked at', async () => {
    const good = signed(listing(), identities);
    const garbage = Array.from({ length: 8 }, () => ({ ...good.signatures[0]!, signature: new Uint8Array(64) }));
    expect(await judge({ ...good, signatures: [...garbage, ...good.signatures] })).toMatchObject(
      refusal('quorumMissing'),
    );
  });
});

describe('the period', () => {
  test.each([
    ['its last second', NOON + 2699, { ok: true }],
    ['its end', NOON + 2700, refusal('expired')],
    ['a clock that is behind by the tolerance', NOON - 30, { ok: true }],
    ['a clock that is behind by more', NOON - 31, refusal('notYetValid')],
  ])('%s', async (_, atSeconds, expected) => {
    expect(await judge(signed(listing(), identities), { atSeconds })).toMatchObject(expected);
  });

  test('the tolerance can be set', async () => {
    const directory = signed(listing(), identities);
    expect(await judge(directory, { atSeconds: NOON - 1, clockToleranceSeconds: 0 })).toMatchObject(
      refusal('notYetValid'),
    );
    expect(await judge(directory, { atSeconds: NOON, clockToleranceSeconds: 0 })).toMatchObject({ ok: true });
  });

  test('dates far beyond what a number can hold are dates all the same', async () => {
    const most = (1n << 64n) - 1n;
    expect(await judge(signed(listing({ creation: most }), identities))).toMatchObject(refusal('notYetValid'));
    expect(await judge(signed(listing({ expiration: 0n }), identities))).toMatchObject(refusal('expired'));
  });
});

describe('the bytes', () => {
  test('one bit turned anywhere in the listing, and it is not believed', async () => {
    const directory = signed(listing(), identities);
    const codes = new Set<string>();
    for (let at = 0; at < directory.directory.length; at++) {
      const verdict = await judge({ ...directory, directory: tampered(directory.directory, at) });
      expect(verdict.ok).toBe(false);
      if (!verdict.ok) codes.add(verdict.code);
    }
    // Bytes that no quorum signed are not parsed, so nobody learns more of them.
    expect([...codes]).toEqual(['quorumMissing']);
  });

  test.each([
    ['no protobuf', Uint8Array.of(0xff)],
    ['an item that is none', listing({ items: [Uint8Array.of(0xff)] })],
    ['a listing behind a field that nobody knows', Uint8Array.from([0xed, 0, 1, 2, 3, 4, ...listing()])],
  ])('%s is malformed, whoever signed it', async (_, bytes) => {
    expect(await judge(signed(bytes, identities))).toMatchObject(refusal('malformed'));
  });

  test('items out of order, or two of one identity, are not believed, whoever signed them', async () => {
    const items = RELAYS.map((identity) => itemBytes(identity));
    const reversed = signed(listing({ items: [...items].reverse() }), identities);
    expect(await judge(reversed)).toMatchObject({ ...refusal('unsorted'), detail: 'at item 1' });
    const twice = signed(listing({ items: [items[0]!, items[1]!, items[1]!] }), identities);
    expect(await judge(twice)).toMatchObject({ ...refusal('unsorted'), detail: 'at item 2' });
  });

  test('bytes over the limit are not looked at', async () => {
    const directory = signed(listing(), identities);
    const maxDirectoryBytes = directory.directory.length;
    expect(await judge(directory, { maxDirectoryBytes })).toMatchObject({ ok: true });
    expect(await judge(directory, { maxDirectoryBytes: maxDirectoryBytes - 1 })).toMatchObject(refusal('tooLarge'));
  });

  test('a listing of another version of the protocol is not believed', async () => {
    const other = signed(listing({ version: 'psp-discovery-1.0' }), identities);
    expect(await judge(other)).toMatchObject(refusal('unsupportedVersion'));
  });

  test('a listing that ends before it begins, or never, is not believed', async () => {
    const backwards = listing({ creation: BigInt(NOON + 30), expiration: BigInt(NOON + 20) });
    expect(await judge(signed(backwards, identities))).toMatchObject(refusal('wrongTimes'));
    const endless = listing({ expiration: (1n << 64n) - 1n });
    expect(await judge(signed(endless, identities))).toMatchObject(refusal('wrongTimes'));
  });
});

describe('how many signatures suffice', () => {
  test.each([
    [1, 1, true],
    [4, 4, true],
    [4, 3, false],
    [0, 0, false],
  ])('is the client’s decision: %i required, %i there', async (requiredSignatures, count, enough) => {
    const verdict = await judge(signed(listing(), identities.slice(0, count)), { requiredSignatures });
    expect(verdict).toMatchObject(enough ? { ok: true } : refusal('quorumMissing'));
  });
});

describe('items that are of no use', () => {
  test.each([
    ['a later version', { version: 'xpx-discovery-2.0' }],
    ['no address', { address: [] }],
    ['a port that is none', { address: ['192.0.2.1:99999'] }],
    ['a fingerprint that is none', { fingerprint: 'ab' }],
    ['a handshake that is none', { handshake: '' }],
    ['more bytes than an item may have', { mode: 'x'.repeat(1024) }],
  ])('%s: left out and counted; the rest is believed', async (_, fields) => {
    const [a, b, c] = RELAYS;
    const items = [itemBytes(a!), itemBytes(b!, fields), itemBytes(c!)];
    expect(await judge(signed(listing({ items }), identities))).toMatchObject({
      ok: true,
      items: [{ identity: a }, { identity: c }],
      itemBytes: [items[0], items[2]],
      unusableItems: 1,
      fullItems: 3,
    });
  });

  test('a mode of a later version is for the caller to judge', async () => {
    const items = [itemBytes(RELAYS[0]!, { mode: 'lighthouse' })];
    expect(await judge(signed(listing({ items }), identities))).toMatchObject({ items: [{ mode: 'lighthouse' }] });
  });
});

describe('a short listing', () => {
  const many = Array.from({ length: 50 }, (_, i) => relayIdentity(`r${i}`)).sort();
  const full = listing({ items: many.map((identity) => itemBytes(identity)) });
  const short = shortListingOf(full, { sha256, maxBytes: 4000 })!;

  test('is believed, and says that it is one and of what', async () => {
    const verdict = await judge(signed(short.bytes, identities));
    expect(verdict).toMatchObject({ ok: true, complete: false, fullItems: 50, fullDigest: sha256(full) });
    expect(verdict).toMatchObject({ items: { length: short.items } });
    expect(await judge(signed(full, identities))).toMatchObject({
      complete: true,
      fullItems: 50,
      fullDigest: sha256(full),
    });
  });

  test('signatures over the full one do not vouch for it, and the other way round', async () => {
    const of = signed(full, identities);
    expect(await judge({ ...of, directory: short.bytes })).toMatchObject(refusal('quorumMissing'));
    const { signatures } = signed(short.bytes, identities);
    expect(await judge({ ...of, signatures })).toMatchObject(refusal('quorumMissing'));
    const beside = create(DiscoveryDirectorySchema, {
      directory: full,
      signatures: [],
      shortSignatures: of.signatures,
    });
    expect(await judge(beside)).toMatchObject(refusal('quorumMissing'));
  });

  test.each([
    ['half a digest', { fullDigest: new Uint8Array(16), fullItems: 50n }],
    ['no digest', { fullItems: 50n }],
    ['fewer items in full than here', { fullDigest: new Uint8Array(32), fullItems: 2n }],
  ])('with %s is malformed', async (_, fields) => {
    expect(await judge(signed(listing(fields), identities))).toMatchObject(refusal('malformed'));
  });
});

describe('freshness', () => {
  test.each([
    [-10, 0],
    [0, 0],
    [900, 0],
    [959, 0],
    [960, 1],
    [1859, 1],
    [1860, 2],
    [2699, 2],
  ])('at an age of %i s, %i rounds were missed', async (ageSeconds, missedRounds) => {
    const verdict = await judge(signed(listing(), identities), { atSeconds: NOON + ageSeconds });
    expect(verdict).toMatchObject({ ok: true, ageSeconds, missedRounds });
  });
});
