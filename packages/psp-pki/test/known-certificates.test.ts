import {
  CertificateVerifier,
  buildCertificate,
  buildSignedMessage,
  openDetachedSignatureAsync,
  openSignedMessageAsync,
  parseCertificate,
} from '../src/index.js';
import { KnownCertificates } from '../src/known-certificates.js';
import { ANNA, BERT, CLEO, NODE, RELAY, ROOT, member, regular, selfSigned } from './network.js';
import { NOT_AFTER, NOW } from './vectors.js';

const MESSAGE = Buffer.from('a message');

function relays(count: number): ReturnType<typeof regular>[] {
  return Array.from({ length: count }, (_, at) => regular(member(`relay ${String(at)}`), [ANNA, BERT, CLEO]));
}

describe('certificates that many others repeat', () => {
  it('are referred to once they were verified, and the certificate around them says the same', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    const [first, second] = relays(2);
    verifier.verify(first!, NOW);
    const read = verifier.readCertificate(second!.bytes);
    expect(read).toEqual(parseCertificate(second!.bytes));
    for (const { certificate } of read.trustSignatures) {
      expect(certificate).toBe(verifier.signers.find(certificate.bytes));
      expect(certificate.bytes.buffer).not.toBe(first!.bytes.buffer);
    }
    expect(verifier.verify(read, NOW)).toEqual({ ok: true });
  });

  it('are not referred to before, nor when their signature is forged', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    const forged = buildCertificate({ ...ANNA.certificate, masterSignature: new Uint8Array(64) });
    const certificate = regular(RELAY, [{ ...ANNA, certificate: forged }, BERT, CLEO]);
    expect(verifier.verify(certificate, NOW)).toMatchObject({ code: 'PKI_BAD_SIGNER_CERTIFICATE' });
    expect(verifier.signers.find(forged.bytes)).toBeUndefined();
    expect(verifier.signers.find(ANNA.certificate.bytes)).toBeUndefined();
  });

  it('a discovery node’s own is verified once, its dates each time', async () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    const certificate = selfSigned(NODE);
    const signed = { certificate: certificate.bytes, signature: NODE.key.sign(MESSAGE) };
    expect(await openDetachedSignatureAsync(signed, MESSAGE, verifier, NOW)).toMatchObject({ ok: true });
    const { signatureChecks } = verifier.stats;
    const again = await openDetachedSignatureAsync(signed, MESSAGE, verifier, NOW);
    expect(again).toEqual({ ok: true, certificate });
    expect(verifier.stats).toMatchObject({ signatureChecks: signatureChecks + 1, cacheHits: 1, cachedSigners: 1 });
    const late = await openDetachedSignatureAsync(signed, MESSAGE, verifier, NOT_AFTER + 1);
    expect(late).toMatchObject({ code: 'PKI_EXPIRED' });
    const other = await openDetachedSignatureAsync(signed, Buffer.from('another'), verifier, NOW);
    expect(other).toMatchObject({ code: 'PKI_BAD_MESSAGE_SIGNATURE' });
  });

  it('limits hold for them too', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    const { bytes } = selfSigned(NODE);
    verifier.verify(parseCertificate(bytes), NOW);
    expect(() => verifier.readCertificate(bytes, { maxCertificateBytes: bytes.length - 1 })).toThrow(
      expect.objectContaining({ code: 'PKI_TOO_LARGE' }),
    );
  });

  it('stay as they are when the message is overwritten that they came in', async () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    const relay = { certificate: regular(RELAY, [ANNA, BERT, CLEO]), key: RELAY.key };
    const bytes = buildSignedMessage({ ...relay, message: MESSAGE });
    expect(await openSignedMessageAsync(bytes, verifier, NOW)).toMatchObject({ ok: true });
    bytes.fill(0);
    expect(verifier.signers.find(ANNA.certificate.bytes)).toEqual(ANNA.certificate);
  });
});

describe('forged bytes', () => {
  it('cost no more than the first signatures, however many follow', async () => {
    const good = regular(RELAY, [ANNA, BERT, CLEO]);
    for (const at of [0, 1, 2]) {
      const verifier = new CertificateVerifier({ root: ROOT });
      await verifier.verifyAsync(regular(member('another'), [ANNA, BERT, CLEO]), NOW);
      const { signatureChecks } = verifier.stats;
      const trustSignatures = good.trustSignatures.map((trust, i) =>
        i === at ? { ...trust, signature: new Uint8Array(64) } : trust,
      );
      const verdict = await verifier.verifyAsync(buildCertificate({ ...good, trustSignatures }), NOW);
      expect(verdict).toMatchObject({ ok: false, code: 'PKI_BAD_TRUST_SIGNATURE' });
      expect(verifier.stats.signatureChecks - signatureChecks).toBe(at === 0 ? 2 : 4);
    }
  });
});

describe('KnownCertificates', () => {
  it('forgets the oldest when it is full', () => {
    const known = new KnownCertificates(2);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => selfSigned(member(name)));
    known.add(a!);
    known.add(a!);
    known.add(b!);
    known.add(c!);
    expect(known.size).toBe(2);
    expect(known.has(a!)).toBe(false);
    expect(known.find(a!.bytes)).toBeUndefined();
    expect(known.find(Uint8Array.from(b!.bytes))).toBe(b);
    expect(known.has(parseCertificate(Uint8Array.from(c!.bytes)))).toBe(true);
  });
});
