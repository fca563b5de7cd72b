import { CertificateVerifier, buildCertificate, parseCertificate } from '../src/index.js';
import { peekMasterSignature } from '../src/certificate.js';
import { SoundCertificates } from '../src/sound-certificates.js';
import { ANNA, BERT, CLEO, NODE, RELAY, ROOT, member, regular, selfSigned } from './network.js';
import { NOW } from './vectors.js';

const SOUND = { ok: true, delegated: false } as const;
const NO_SIGNERS = { find: () => undefined };
const relay = regular(RELAY, [ANNA, BERT, CLEO]);
const copyOf = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);

describe('a publisher’s certificate', () => {
  it('is read once: the next time it is the same object, of bytes of its own', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    const message = copyOf(relay.bytes);
    const first = verifier.readCertificate(message);
    expect(verifier.verify(first, NOW)).toEqual({ ok: true });
    const second = verifier.readCertificate(copyOf(relay.bytes));
    expect(second).toEqual(relay);
    expect(verifier.readCertificate(copyOf(relay.bytes))).toBe(second);
    message.fill(0);
    expect(second).toEqual(relay);
    expect(verifier.verify(second, NOW)).toEqual({ ok: true });
  });

  it('is read anew when any of its bytes is another', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    verifier.verify(relay, NOW);
    const { signatureChecks } = verifier.stats;
    for (const at of [8, 20, relay.wholeBody.length, relay.bytes.length - 1]) {
      const bytes = copyOf(relay.bytes);
      bytes[at]! ^= 1;
      const read = verifier.readCertificate(bytes);
      expect(read.bytes).toEqual(bytes);
      expect(verifier.verify(read, NOW)).toMatchObject({ ok: false });
    }
    expect(verifier.stats.signatureChecks).toBeGreaterThan(signatureChecks);
    expect(verifier.readCertificate(copyOf(relay.bytes))).toBe(verifier.readCertificate(copyOf(relay.bytes)));
  });

  it('is held against the limits of each reader', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    verifier.verify(relay, NOW);
    expect(() => verifier.readCertificate(relay.bytes, { maxTrustSignatures: 2 })).toThrow(
      expect.objectContaining({ code: 'PKI_TOO_MANY_TRUST_SIGNATURES' }),
    );
  });
});

describe('SoundCertificates', () => {
  it('hold what fits, and forget what was not asked for longest', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => regular(member(name), [ANNA, BERT, CLEO]));
    const known = new SoundCertificates(2);
    for (const certificate of [a!, b!]) known.add(certificate, SOUND, NO_SIGNERS);
    expect(known.soundOf(a!)).toBe(SOUND);
    known.add(c!, SOUND, NO_SIGNERS);
    expect([a, b, c].map((certificate) => known.find(certificate!.bytes) !== undefined)).toEqual([true, false, true]);
    expect(known.size).toBe(2);
  });

  it('keep what is asked for again and again, although not each question gives it a new place', () => {
    const known = new SoundCertificates(8);
    known.add(relay, SOUND, NO_SIGNERS);
    for (let i = 0; i < 40; i++) {
      const read = known.find(relay.bytes);
      expect(read).toBeDefined();
      expect(known.soundOf(read!)).toBe(SOUND);
      known.add(regular(member(`other ${i}`), [ANNA, BERT, CLEO]), SOUND, NO_SIGNERS);
    }
    expect(known.size).toBe(8);
  });

  it('say nothing of what they found and have forgotten since', () => {
    const known = new SoundCertificates(1);
    known.add(relay, SOUND, NO_SIGNERS);
    const read = known.find(relay.bytes)!;
    known.add(regular(member('other'), [ANNA, BERT, CLEO]), SOUND, NO_SIGNERS);
    expect(known.soundOf(read)).toBeUndefined();
  });

  it('count bytes too: a long one takes the room of several', () => {
    const payload = new Uint8Array(9_000);
    const long = parseCertificate(buildCertificate({ ...relay, payload }).bytes);
    const known = new SoundCertificates(3);
    known.add(relay, SOUND, NO_SIGNERS);
    const other = regular(member('other'), [ANNA, BERT, CLEO]);
    known.add(other, SOUND, NO_SIGNERS);
    known.add({ ...long, masterSignature: other.wholeBody.slice(0, 64) }, SOUND, NO_SIGNERS);
    known.add({ ...long, masterSignature: other.wholeBody.slice(1, 65) }, SOUND, NO_SIGNERS);
    expect(known.size).toBe(1);
  });

  it('know a certificate that comes with other trust signatures for another one', () => {
    const known = new SoundCertificates(4);
    known.add(relay, SOUND, NO_SIGNERS);
    const fewer = regular(RELAY, [ANNA, BERT]);
    expect(fewer.masterSignature).toEqual(relay.masterSignature);
    expect(known.soundOf(fewer)).toBeUndefined();
    known.add(fewer, SOUND, NO_SIGNERS);
    expect(known.soundOf(fewer)).toBe(SOUND);
    expect(known.soundOf(relay)).toBeUndefined();
    expect(known.size).toBe(1);
  });
});

test('the master signature is found in every certificate, and in no part of one', () => {
  for (const { bytes, masterSignature } of [relay, selfSigned(NODE)]) {
    expect(peekMasterSignature(bytes)).toEqual(masterSignature);
    const end = masterSignature.byteOffset - bytes.byteOffset + masterSignature.length;
    for (let length = 0; length < end; length++) expect(peekMasterSignature(bytes.subarray(0, length))).toBeUndefined();
  }
});
