import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { DiscoveryDirectorySchema, DiscoveryListingSchema, type DiscoveryDirectory } from '@discovery-raft/protocol';
import { NodeSigner, verifyDirectory, type NodeIdentity, type RefusedDirectory } from '../src/index.js';
import { DATES, itemBytes, network, NOON, official, relay, tampered, VERSION } from './fixtures/people.js';

const { root, identities } = network(4);
const RELAYS = ['ada', 'ben', 'cyd'].map((name) => relay(name).identity).sort();

/** Listing bytes with one item of each relay, but for what `fields` say. */
function listing(fields: MessageInitShape<typeof DiscoveryListingSchema> = {}): Uint8Array {
  return toBinary(
    DiscoveryListingSchema,
    create(DiscoveryListingSchema, {
      version: VERSION,
      items: RELAYS.map((identity) => itemBytes(identity)),
      creation: BigInt(NOON),
      expiration: BigInt(NOON + 2700),
      ...fields,
    }),
  );
}

async function signed(directory: Uint8Array, signers: readonly NodeIdentity[]): Promise<DiscoveryDirectory> {
  const signatures = await Promise.all(signers.map((node) => new NodeSigner(node).sign(directory)));
  return create(DiscoveryDirectorySchema, { directory, signatures });
}

function judge(directory: DiscoveryDirectory, options: Partial<Parameters<typeof verifyDirectory>[1]> = {}) {
  return verifyDirectory(directory, { root, atSeconds: NOON + 10, ...options });
}

function refusal(code: RefusedDirectory['code']) {
  return { ok: false, code };
}

describe('a directory that is to be believed', () => {
  test('gives its dates, its items and who signed', async () => {
    const directory = await signed(listing(), identities);
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
    expect(await judge(await signed(listing({ items: [] }), identities))).toMatchObject({ ok: true, items: [] });
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
    const verdict = await judge(await signed(listing(), identities.slice(0, count)), { policy });
    expect(verdict).toMatchObject(enough ? { ok: true } : refusal('quorumMissing'));
  });

  test('is of distinct nodes: a signature that is repeated counts once', async () => {
    const [a, b] = identities;
    const verdict = await judge(await signed(listing(), [a!, b!, b!, a!, b!]));
    expect(verdict).toMatchObject({ ...refusal('quorumMissing'), detail: '2 of 3 signatures' });
  });

  test('is of discovery nodes of the root: neither strangers nor authorities count', async () => {
    const strangers = [official('stranger', 'discovery'), official('anna', 'auth')];
    const [a, b, c] = identities;
    expect(await judge(await signed(listing(), [a!, b!, ...strangers]))).toMatchObject(refusal('quorumMissing'));
    expect(await judge(await signed(listing(), [...strangers, a!, b!, c!]))).toMatchObject({
      ok: true,
      signers: [a!.identity, b!.identity, c!.identity],
    });
  });

  test('signatures of other bytes, other certificates or none at all do not count', async () => {
    const good = await signed(listing(), identities);
    const other = await signed(listing({ items: [] }), identities);
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
    expect(await judge(await signed(listing(), nodes))).toMatchObject(refusal('quorumMissing'));
  });

  test('more signatures than twice the nodes are not even looked at', async () => {
    const good = await signed(listing(), identities);
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
    expect(await judge(await signed(listing(), identities), { atSeconds })).toMatchObject(expected);
  });

  test('the tolerance can be set', async () => {
    const directory = await signed(listing(), identities);
    expect(await judge(directory, { atSeconds: NOON - 1, clockToleranceSeconds: 0 })).toMatchObject(
      refusal('notYetValid'),
    );
    expect(await judge(directory, { atSeconds: NOON, clockToleranceSeconds: 0 })).toMatchObject({ ok: true });
  });

  test('dates far beyond what a number can hold are dates all the same', async () => {
    const most = (1n << 64n) - 1n;
    expect(await judge(await signed(listing({ creation: most }), identities))).toMatchObject(refusal('notYetValid'));
    expect(await judge(await signed(listing({ expiration: 0n }), identities))).toMatchObject(refusal('expired'));
  });
});

describe('the bytes', () => {
  test('one bit turned anywhere in the listing, and it is not believed', async () => {
    const directory = await signed(listing(), identities);
    const codes = new Set<string>();
    for (let at = 0; at < directory.directory.length; at++) {
      const verdict = await judge({ ...directory, directory: tampered(directory.directory, at) });
      expect(verdict.ok).toBe(false);
      if (!verdict.ok) codes.add(verdict.code);
    }
    expect(codes).toContain('quorumMissing');
    expect(codes).toContain('malformed');
  });

  test.each([
    ['no protobuf', Uint8Array.of(0xff)],
    ['an item that is none', listing({ items: [Uint8Array.of(0xff)] })],
  ])('%s is malformed, whoever signed it', async (_, bytes) => {
    expect(await judge(await signed(bytes, identities))).toMatchObject(refusal('malformed'));
  });

  test('items out of order, or two of one identity, are not believed, whoever signed them', async () => {
    const items = RELAYS.map((identity) => itemBytes(identity));
    const reversed = await signed(listing({ items: [...items].reverse() }), identities);
    expect(await judge(reversed)).toMatchObject({ ...refusal('unsorted'), detail: 'at item 1' });
    const twice = await signed(listing({ items: [items[0]!, items[1]!, items[1]!] }), identities);
    expect(await judge(twice)).toMatchObject({ ...refusal('unsorted'), detail: 'at item 2' });
  });
});
