import { CertificateVerifier, openDetachedSignatureAsync, VerifyPool } from '@discovery-raft/psp-pki';
import * as fc from 'fast-check';
import { discoveryListSchema, NodeSigner, oneRoot, PkiVerifier } from '../src/index.js';
import {
  AUTHORITIES,
  DATES,
  itemBytes,
  network,
  NOON,
  official,
  packetOf,
  relay,
  tampered,
} from './fixtures/people.js';

const { root, identities } = network(1);
const NODE = identities[0]!;
const ADA = relay('ada');

describe('discoveryListSchema', () => {
  test('reads identity and expiration of a packet without verifying it', () => {
    const expected = { identity: ADA.identity, expiration: NOON + 3600 };
    const packet = packetOf(ADA);
    expect(discoveryListSchema.describe(packet)).toEqual(expected);
    const signatureAt = 5 + itemBytes(ADA.identity).length;
    expect(discoveryListSchema.describe(tampered(packet, signatureAt))).toEqual(expected);
  });

  test.each([
    ['no bytes', new Uint8Array(0)],
    ['no signed message', Uint8Array.of(1, 2, 3)],
    ['a message that is no item', packetOf(ADA, Uint8Array.of(0xff))],
    ['an item of somebody else', packetOf(ADA, itemBytes(relay('ben').identity))],
    ['an expiration that no number can hold', packetOf(ADA, itemBytes(ADA.identity, { expiration: 1n << 60n }))],
  ])('knows nothing of %s', (_, packet) => {
    expect(discoveryListSchema.describe(packet)).toBeUndefined();
  });

  test('text that is no UTF-8 is as unreadable as any other bytes', () => {
    const item = itemBytes(ADA.identity, { mode: 'onion' });
    const at = Buffer.from(item).indexOf('onion', item.length - 40);
    item[at] = 0xff;
    expect(discoveryListSchema.describe(packetOf(ADA, item))).toBeUndefined();
  });

  test('any bytes that a log may hold are described or not, and never throw', () => {
    const packet = packetOf(ADA);
    fc.assert(
      fc.property(fc.nat(packet.length - 1), fc.uint8Array({ maxLength: 40 }), fc.nat(40), (at, bytes, cut) => {
        const hostile = Buffer.concat([packet.subarray(0, at), bytes, packet.subarray(at + cut)]);
        discoveryListSchema.describe(new Uint8Array(hostile));
        discoveryListSchema.attester(new Uint8Array(hostile));
        discoveryListSchema.describe(packetOf(ADA, bytes));
      }),
      { seed: 7, numRuns: 2000 },
    );
  });

  test('names the attester of a signature, if its certificate can be read', async () => {
    const signature = await new NodeSigner(NODE).sign(Uint8Array.of(1));
    expect(discoveryListSchema.attester(signature.certificate)).toBe(NODE.identity);
    expect(discoveryListSchema.attester(Uint8Array.of(1))).toBeUndefined();
  });
});

describe('PkiVerifier', () => {
  const verifier = new PkiVerifier(oneRoot(root));

  test('a packet: its item, its bytes, its signer, and the period in which that holds', async () => {
    const verdict = await verifier.verifyPacket(packetOf(ADA), NOON + 0.9);
    expect(verdict).toMatchObject({
      ok: true,
      item: { identity: ADA.identity },
      itemBytes: itemBytes(ADA.identity),
      signer: ADA.identity,
      ...DATES,
    });
  });

  test('the period is that of all certificates together', async () => {
    const short = { notBefore: NOON - 10, notAfter: NOON + 10 };
    const verdict = await verifier.verifyPacket(packetOf(relay('ada', short)), NOON);
    expect(verdict).toMatchObject({ ok: true, ...short });
    // An authority whose own certificate ends sooner ends what it vouched for.
    const [anna, ...others] = ['anna', 'bert', 'cleo'].map((name) =>
      official(name, 'auth', name === 'anna' ? short : DATES),
    );
    const vouched = await verifier.verifyPacket(packetOf(relay('ada', DATES, [anna!, ...others])), NOON);
    expect(vouched).toMatchObject({ ok: true, ...short });
  });

  test.each([
    ['nobody can read', Uint8Array.of(1), 'PKI_UNKNOWN_METHOD', false],
    ['a forged signature is over', tampered(packetOf(ADA), 10), 'PKI_BAD_MESSAGE_SIGNATURE', false],
    ['is no item', packetOf(ADA, Uint8Array.of(0xff)), 'ITEM_MALFORMED', undefined],
    ['is too long', packetOf(ADA, new Uint8Array(5000)), 'PKI_TOO_LARGE', false],
    ['is over', packetOf(relay('ada', { notBefore: NOON - 10, notAfter: NOON - 1 })), 'PKI_EXPIRED', true],
    ['is to come', packetOf(relay('ada', { notBefore: NOON + 1, notAfter: NOON + 9 })), 'PKI_NOT_YET_VALID', true],
  ])('refuses what %s', async (_, packet, code, timeDependent) => {
    const verdict = await verifier.verifyPacket(packet, NOON);
    expect(verdict).toMatchObject({ ok: false, code });
    expect((verdict as { timeDependent?: boolean }).timeDependent).toBe(timeDependent);
  });

  test('a certificate is verified once, and each packet of its publisher after that costs one verification', async () => {
    const pool = new VerifyPool({ threads: 1 });
    try {
      const verified = jest.spyOn(pool, 'verifyThen');
      const counting = new PkiVerifier(oneRoot(root), undefined, pool);
      const costs: number[] = [];
      for (let i = 0; i < 4; i++) {
        verified.mockClear();
        const packet = packetOf(ADA, itemBytes(ADA.identity, { expiration: BigInt(NOON + i) }));
        expect(await counting.verifyPacket(packet, NOON)).toMatchObject({ ok: true });
        costs.push(verified.mock.calls.length);
      }
      // Master signature, three authorities and their own certificates, and the packet; then the packet alone.
      expect(costs).toEqual([8, 1, 1, 1]);
      verified.mockClear();
      expect(await counting.verifyPacket(packetOf(relay('ben')), NOON)).toMatchObject({ ok: true });
      expect(verified).toHaveBeenCalledTimes(5);
    } finally {
      await pool.close();
    }
  });

  test('the longest packet can be set', async () => {
    const packet = packetOf(ADA);
    const fits = await new PkiVerifier(oneRoot(root), packet.length).verifyPacket(packet, NOON);
    const tooLong = await new PkiVerifier(oneRoot(root), packet.length - 1).verifyPacket(packet, NOON);
    expect([fits.ok, tooLong.ok]).toEqual([true, false]);
  });

  test('a signature: whose it is and how long that holds; of other content, nothing', async () => {
    const content = Uint8Array.of(1, 2, 3);
    const signature = await new NodeSigner(NODE).sign(content);
    expect(await verifier.verifySignature(signature, content, NOON)).toEqual({
      ok: true,
      identity: NODE.identity,
      ...DATES,
    });
    expect(await verifier.verifySignature(signature, tampered(content, 0), NOON)).toMatchObject({
      ok: false,
      code: 'PKI_BAD_MESSAGE_SIGNATURE',
      timeDependent: false,
    });
    expect(await verifier.verifySignature(signature, content, DATES.notAfter + 1)).toMatchObject({
      ok: false,
      code: 'PKI_EXPIRED',
      timeDependent: true,
    });
  });

  test('a discovery node that the root does not name is not believed', async () => {
    const content = Uint8Array.of(1);
    const signature = await new NodeSigner(official('stranger', 'discovery')).sign(content);
    expect(await verifier.verifySignature(signature, content, NOON)).toMatchObject({
      ok: false,
      code: 'PKI_NOT_TRUSTED',
    });
  });
});

describe('NodeSigner and createNodeIdentity', () => {
  test('an identity tells its role; its signatures are valid under its certificate', async () => {
    expect(NODE.identity).toMatch(/^xpx\.discovery\.node\./);
    expect(AUTHORITIES[0]!.certificate.identity.text).toMatch(/^xpx\.auth\.node\./);
    const signer = new NodeSigner(NODE);
    expect(signer.identity).toBe(NODE.identity);
    const content = Uint8Array.of(5, 6);
    const opened = await openDetachedSignatureAsync(
      await signer.sign(content),
      content,
      new CertificateVerifier({ root }),
      NOON,
    );
    expect(opened).toMatchObject({ ok: true, certificate: { identity: { text: NODE.identity }, ...DATES } });
  });

  test('a new signing key leaves the identity as it was', () => {
    const renewed = official('node 0', 'discovery', { notBefore: NOON, notAfter: NOON + 1 });
    expect(renewed.identity).toBe(NODE.identity);
    expect(renewed.certificate.bytes).not.toEqual(NODE.certificate.bytes);
  });
});

describe('NodeSigner', () => {
  test('has its pool forget the key before, and signs what was asked of it all the same', async () => {
    const pool = new VerifyPool({ threads: 1 });
    const forgotten = jest.spyOn(pool, 'forget');
    const signer = new NodeSigner(NODE, pool);
    const content = Uint8Array.of(1, 2, 3);
    await signer.sign(content);
    const asked = signer.sign(content);
    signer.use({ ...NODE, certificate: official('node 0', 'discovery').certificate });
    expect(forgotten).not.toHaveBeenCalled();
    const fresh = official('node 0', 'discovery');
    signer.use(fresh);
    expect(forgotten.mock.calls).toEqual([[NODE.key]]);
    expect((await asked).signature).toEqual(NODE.key.sign(content));
    expect((await signer.sign(content)).signature).toEqual(fresh.key.sign(content));
    expect(() => signer.use(official('node 1', 'discovery'))).toThrow('another identity');
    await pool.close();
  });
});
