import {
  CertificateVerifier,
  buildCertificate,
  createTrustRoot,
  encodeSignedPart,
  parseCertificate,
  type FlatCertificate,
  type TrustRoot,
  type Verdict,
} from '../src/index.js';
import { ANNA, BERT, CLEO, DORA, NODE, RELAY, ROOT, authority, keyOf, member, regular, selfSigned } from './network.js';
import { NOT_AFTER, NOT_BEFORE, NOW } from './vectors.js';

/** The verdict, after making sure that the asynchronous way comes to the same one. */
async function judge(certificate: FlatCertificate, atSeconds = NOW, root: TrustRoot = ROOT): Promise<Verdict> {
  const verdict = new CertificateVerifier({ root }).verify(certificate, atSeconds);
  expect(await new CertificateVerifier({ root }).verifyAsync(certificate, atSeconds)).toEqual(verdict);
  return verdict;
}

const good = regular(RELAY, [ANNA, BERT, CLEO]);

function flipped(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte));
}

/** A regular certificate whose master signature its own key made, on the word of `delegate`. */
function delegated(delegate: FlatCertificate): FlatCertificate {
  const { key } = member('relay');
  const own = keyOf('the online key of relay');
  const holder = { identity: RELAY.identity, master: own, key: own };
  return regular(holder, [ANNA, BERT, CLEO, { certificate: delegate, key }]);
}

describe('the validity period', () => {
  it.each([
    ['a second early', NOT_BEFORE - 1, 'PKI_NOT_YET_VALID'],
    ['a second late', NOT_AFTER + 1, 'PKI_EXPIRED'],
    ['at no moment at all', Number.NaN, 'PKI_NOT_YET_VALID'],
  ])('refuses %s', async (_when, atSeconds, code) => {
    expect(await judge(good, atSeconds)).toMatchObject({ ok: false, code });
    expect(await judge(selfSigned(NODE), atSeconds)).toMatchObject({ ok: false, code });
  });

  it('includes both ends', async () => {
    expect(await judge(good, NOT_BEFORE)).toEqual({ ok: true });
    expect(await judge(good, NOT_AFTER)).toEqual({ ok: true });
  });

  it('is judged on each call, also of a certificate that is remembered', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    expect(verifier.verify(good, NOW)).toEqual({ ok: true });
    expect(verifier.verify(good, NOT_AFTER + 1)).toMatchObject({ code: 'PKI_EXPIRED' });
    expect(verifier.verify(good, NOW)).toEqual({ ok: true });
  });

  it('must not be reversed', async () => {
    const fields = { ...good, notBefore: NOW + 1, notAfter: NOW - 1 };
    const masterSignature = RELAY.master.sign(encodeSignedPart(fields));
    const reversed = buildCertificate({ ...fields, masterSignature, trustSignatures: [] });
    expect(await judge(reversed)).toMatchObject({ ok: false, code: 'PKI_VALIDITY_REVERSED' });
  });
});

describe('a self-signed certificate', () => {
  it('is believed of a discovery node and of an authority', async () => {
    expect(await judge(selfSigned(NODE))).toEqual({ ok: true });
    expect(await judge(ANNA.certificate)).toEqual({ ok: true });
  });

  it('is refused of anyone else', async () => {
    expect(await judge(selfSigned(RELAY))).toMatchObject({ ok: false, code: 'PKI_NOT_TRUSTED' });
  });

  it('is refused when the master signature is not its own', async () => {
    const certificate = selfSigned(NODE);
    const forged = buildCertificate({ ...certificate, masterSignature: RELAY.master.sign(certificate.signedPart) });
    expect(await judge(forged)).toMatchObject({ ok: false, code: 'PKI_BAD_MASTER_SIGNATURE' });
  });

  it('is refused when its own key, not the identity, signed it', async () => {
    const certificate = selfSigned(NODE);
    const forged = buildCertificate({ ...certificate, masterSignature: NODE.key.sign(certificate.signedPart) });
    expect(await judge(forged)).toMatchObject({ ok: false, code: 'PKI_BAD_MASTER_SIGNATURE' });
  });
});

describe('the authorities of a regular certificate', () => {
  it('are enough at the threshold, and with more than that', async () => {
    expect(await judge(good)).toEqual({ ok: true });
    expect(await judge(regular(RELAY, [ANNA, BERT, CLEO, DORA]))).toEqual({ ok: true });
  });

  it.each([[[]], [[ANNA]], [[ANNA, BERT]]])('are too few below it', async (signers) => {
    expect(await judge(regular(RELAY, signers))).toMatchObject({ ok: false, code: 'PKI_TOO_FEW_AUTHORITIES' });
  });

  it('count for as many as the root asks for', async () => {
    const two = createTrustRoot({ ...ROOT, threshold: 2 });
    expect(await judge(regular(RELAY, [ANNA, BERT]), NOW, two)).toEqual({ ok: true });
  });

  it('do not count when the root does not name them, and do no harm', async () => {
    const stranger = authority('stranger');
    const instead = regular(RELAY, [ANNA, BERT, stranger]);
    expect(await judge(instead)).toMatchObject({ ok: false, code: 'PKI_TOO_FEW_AUTHORITIES' });
    expect(await judge(regular(RELAY, [ANNA, BERT, CLEO, stranger]))).toEqual({ ok: true });
  });

  it('are not the discovery nodes', async () => {
    const node = { certificate: selfSigned(NODE), key: NODE.key };
    expect(await judge(regular(RELAY, [ANNA, BERT, node]))).toMatchObject({ code: 'PKI_TOO_FEW_AUTHORITIES' });
  });

  it('sign once each, whatever certificate they do it with', async () => {
    const again = authority('anna', { notAfter: NOT_AFTER - 1 });
    for (const second of [ANNA, again]) {
      const certificate = regular(RELAY, [ANNA, BERT, CLEO, second]);
      expect(await judge(certificate)).toMatchObject({ ok: false, code: 'PKI_DUPLICATE_AUTHORITY' });
    }
  });

  it('count only while their own certificates are valid', async () => {
    const until = NOW + 10;
    const certificate = regular(RELAY, [ANNA, BERT, authority('cleo', { notAfter: until })]);
    expect(await judge(certificate, until)).toEqual({ ok: true });
    expect(await judge(certificate, until + 1)).toMatchObject({ ok: false, code: 'PKI_TOO_FEW_AUTHORITIES' });
    const early = regular(RELAY, [ANNA, BERT, authority('cleo', { notBefore: NOW + 1 })]);
    expect(await judge(early, NOW)).toMatchObject({ ok: false, code: 'PKI_TOO_FEW_AUTHORITIES' });
  });

  it('sign this certificate and no other', async () => {
    const { trustSignatures } = regular(member('another relay'), [CLEO]);
    const own = regular(RELAY, [ANNA, BERT]);
    const moved = buildCertificate({ ...own, trustSignatures: [...own.trustSignatures, ...trustSignatures] });
    expect(await judge(moved)).toMatchObject({ ok: false, code: 'PKI_BAD_TRUST_SIGNATURE' });
  });

  it('all sign well, also one more than is needed, also one who is unknown', async () => {
    for (const last of [DORA, authority('stranger')]) {
      const whole = regular(RELAY, [ANNA, BERT, CLEO, last]);
      const trustSignatures = whole.trustSignatures.map((trust, at) =>
        at === 3 ? { ...trust, signature: flipped(trust.signature) } : trust,
      );
      const spoilt = buildCertificate({ ...whole, trustSignatures });
      expect(await judge(spoilt)).toMatchObject({ ok: false, code: 'PKI_BAD_TRUST_SIGNATURE' });
    }
  });

  it('cannot be impersonated by a certificate that their master key did not sign', async () => {
    const { certificate, key } = CLEO;
    const fake = buildCertificate({ ...certificate, masterSignature: key.sign(certificate.signedPart) });
    const forged = regular(RELAY, [ANNA, BERT, { certificate: fake, key }]);
    expect(await judge(forged)).toMatchObject({ ok: false, code: 'PKI_BAD_SIGNER_CERTIFICATE' });
  });
});

describe('the master signature of a regular certificate', () => {
  it('is the identity’s', async () => {
    const forged = buildCertificate({ ...good, masterSignature: keyOf('thief').sign(good.signedPart) });
    expect(await judge(forged)).toMatchObject({ ok: false, code: 'PKI_BAD_MASTER_SIGNATURE' });
  });

  it('is not the certificate’s own key’s, however many authorities signed', async () => {
    const own = keyOf('own');
    const certificate = regular({ ...RELAY, master: own, key: own }, [ANNA, BERT, CLEO, DORA]);
    expect(await judge(certificate)).toMatchObject({ ok: false, code: 'PKI_BAD_MASTER_SIGNATURE' });
  });

  it('may be the certificate’s own key’s when the same identity signed it too', async () => {
    expect(await judge(delegated(selfSigned(RELAY)))).toEqual({ ok: true });
  });

  it('is then worth no more than the delegating certificate', async () => {
    const certificate = delegated(selfSigned(RELAY, { notAfter: NOW }));
    expect(await judge(certificate, NOW)).toEqual({ ok: true });
    expect(await judge(certificate, NOW + 1)).toMatchObject({ ok: false, code: 'PKI_DELEGATE_NOT_VALID' });
  });

  it('does not make the identity an authority', async () => {
    const self = { certificate: selfSigned(RELAY), key: RELAY.key };
    expect(await judge(regular(RELAY, [ANNA, BERT, self]))).toMatchObject({ code: 'PKI_TOO_FEW_AUTHORITIES' });
  });
});

describe('the network', () => {
  it('refuses identities of the other profile and of any other namespace', async () => {
    for (const namespace of ['peerstream', 'else']) {
      const foreign = regular(member('foreign', 'onion', namespace), [ANNA, BERT, CLEO]);
      expect(await judge(foreign)).toMatchObject({ ok: false, code: 'PKI_WRONG_NAMESPACE' });
    }
  });
});

describe('what the verifier remembers', () => {
  const others = Array.from({ length: 20 }, (_, at) => regular(member(`relay ${String(at)}`), [ANNA, BERT, CLEO]));

  it('an authority’s certificate is verified once, however many it signed', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    expect(others.every((certificate) => verifier.verify(certificate, NOW).ok)).toBe(true);
    // For each: master signature and three trust signatures; and the three authorities' own, once.
    expect(verifier.stats).toMatchObject({ signatureChecks: 20 * 4 + 3, cachedSigners: 3, cachedCertificates: 20 });
  });

  it('also when the calls overlap', async () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    const twice = [...others, ...others].map((certificate) => parseCertificate(Uint8Array.from(certificate.bytes)));
    const verdicts = await Promise.all(twice.map((certificate) => verifier.verifyAsync(certificate, NOW)));
    expect(verdicts.every((verdict) => verdict.ok)).toBe(true);
    expect(verifier.stats.signatureChecks).toBe(20 * 4 + 3);
  });

  it('a certificate that it has seen costs no signature', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    verifier.verify(good, NOW);
    const { signatureChecks } = verifier.stats;
    expect(verifier.verify(parseCertificate(Uint8Array.from(good.bytes)), NOW)).toEqual({ ok: true });
    expect(verifier.stats).toMatchObject({ signatureChecks, cacheHits: 1 });
  });

  it('never exceeds its bound, and forgets the least recently used', () => {
    const verifier = new CertificateVerifier({ root: ROOT, cacheEntries: 4, keyCacheEntries: 2 });
    for (const certificate of others) {
      verifier.verify(certificate, NOW);
      verifier.verify(good, NOW);
      expect(verifier.stats.cachedCertificates).toBeLessThanOrEqual(4);
    }
    expect(verifier.stats.cacheHits).toBe(others.length - 1);
  });

  it('nothing about forged certificates and unknown signers', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    const forged = buildCertificate({ ...good, masterSignature: new Uint8Array(64) });
    expect(verifier.verify(forged, NOW)).toMatchObject({ code: 'PKI_BAD_MASTER_SIGNATURE' });
    verifier.verify(regular(RELAY, [ANNA, BERT, CLEO, authority('stranger')]), NOW);
    expect(verifier.stats).toMatchObject({ cachedCertificates: 1, cachedSigners: 3 });
  });

  it('refuses before any signature is verified what dates, names or numbers decide', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    verifier.verify(good, NOT_AFTER + 1);
    verifier.verify(regular(RELAY, [ANNA, BERT]), NOW);
    verifier.verify(selfSigned(RELAY), NOW);
    expect(verifier.stats.signatureChecks).toBe(0);
  });
});
