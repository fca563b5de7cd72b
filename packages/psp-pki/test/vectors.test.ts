import {
  CertificateVerifier,
  buildSignedMessage,
  createIdentity,
  createTrustRoot,
  fingerprintOfX509,
  formatFingerprint,
  issueRegularCertificate,
  issueSelfSignedCertificate,
  parseCertificate,
  parseFingerprint,
  parseIdentity,
  parseSignedMessage,
  peekCertificateIdentity,
  peekSignedMessage,
  verifySignedMessage,
  verifySignedMessageAsync,
  type FlatCertificate,
} from '../src/index.js';
import { NOT_AFTER, NOT_BEFORE, NOW, fromHex, identityOfSeed, seededKey, toHex, vectors } from './vectors.js';

const root = createTrustRoot({
  authorities: [3, 4, 5].map(identityOfSeed),
  discoveryNodes: [1, 2].map(identityOfSeed),
});

function selfSigned(masterSeedByte: number, signingSeedByte: number): FlatCertificate {
  return issueSelfSignedCertificate({
    identity: parseIdentity(identityOfSeed(masterSeedByte)),
    masterKey: seededKey(masterSeedByte),
    publicKey: seededKey(signingSeedByte).publicKey,
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
  });
}

function regular(): FlatCertificate {
  const { masterSeedByte, signingSeedByte, authorities } = vectors.regularCertificate;
  const request = {
    identity: parseIdentity(identityOfSeed(masterSeedByte)),
    masterKey: seededKey(masterSeedByte),
    publicKey: seededKey(signingSeedByte).publicKey,
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
  };
  const signers = authorities.map((authority) => ({
    certificate: selfSigned(authority.masterSeedByte, authority.signingSeedByte),
    key: seededKey(authority.signingSeedByte),
  }));
  return issueRegularCertificate(request, signers);
}

describe('identities of the deployed protocol', () => {
  const all = [...vectors.identities, ...vectors.publishedIdentities];

  it.each(all)('$identity is read and written', ({ identity, publicKey }) => {
    const parsed = parseIdentity(identity);
    expect(toHex(parsed.publicKey)).toBe(publicKey);
    expect(parsed.text).toBe(identity);
    expect(createIdentity({ ...parsed, publicKey: fromHex(publicKey) })).toEqual(parsed);
  });

  it.each(vectors.identities)('the seed $seedByte gives the public key', ({ seedByte, publicKey }) => {
    expect(toHex(seededKey(seedByte).publicKey)).toBe(publicKey);
  });
});

describe('the self-signed certificate', () => {
  const vector = vectors.selfSignedCertificate;

  it('is issued byte for byte', () => {
    const certificate = selfSigned(vector.masterSeedByte, vector.signingSeedByte);
    expect(toHex(certificate.signedPart)).toBe(vector.signedPart);
    expect(toHex(certificate.masterSignature)).toBe(vector.masterSignature);
    expect(toHex(certificate.bytes)).toBe(vector.bytes);
  });

  it('is read and believed', () => {
    const certificate = parseCertificate(fromHex(vector.bytes));
    expect(certificate).toMatchObject({
      method: 'selfSigned',
      notBefore: vector.notBefore,
      notAfter: vector.notAfter,
      identity: { text: identityOfSeed(vector.masterSeedByte), subNamespace: 'discovery', type: 'node' },
      trustSignatures: [],
    });
    expect(toHex(certificate.publicKey)).toBe(toHex(seededKey(vector.signingSeedByte).publicKey));
    expect(new CertificateVerifier({ root }).verify(certificate, NOW)).toEqual({ ok: true });
  });

  it('shows its identity to a quick look', () => {
    expect(peekCertificateIdentity(fromHex(vector.bytes))).toBe(identityOfSeed(vector.masterSeedByte));
  });
});

describe('the regular certificate', () => {
  const vector = vectors.regularCertificate;

  it('is issued byte for byte, its three trust signatures included', () => {
    expect(toHex(regular().bytes)).toBe(vector.bytes);
  });

  it('is read and believed', async () => {
    const certificate = parseCertificate(fromHex(vector.bytes));
    expect(certificate.method).toBe('regular');
    expect(certificate.trustSignatures.map((trust) => trust.certificate.identity.text)).toEqual(
      [3, 4, 5].map(identityOfSeed),
    );
    expect(new CertificateVerifier({ root }).verify(certificate, NOW)).toEqual({ ok: true });
    await expect(new CertificateVerifier({ root }).verifyAsync(certificate, NOW)).resolves.toEqual({ ok: true });
  });
});

describe('signed messages', () => {
  it('the self-signed one is written byte for byte', () => {
    const bytes = buildSignedMessage({
      certificate: selfSigned(1, 11),
      key: seededKey(11),
      message: fromHex(vectors.selfSignedMessage.message),
    });
    expect(toHex(bytes)).toBe(vectors.selfSignedMessage.bytes);
  });

  it('the signed discovery item is written byte for byte', () => {
    const message = fromHex(vectors.discoveryItem.bytes);
    const bytes = buildSignedMessage({ certificate: regular(), key: seededKey(16), message });
    expect(toHex(bytes)).toBe(vectors.signedDiscoveryItem.bytes);
    expect(vectors.publishToDiscovery.bytes.endsWith(toHex(bytes))).toBe(true);
  });

  it.each([
    ['self-signed', vectors.selfSignedMessage.bytes, vectors.selfSignedMessage.message, 1],
    ['discovery item', vectors.signedDiscoveryItem.bytes, vectors.discoveryItem.bytes, 6],
  ])('%s: read and believed', async (_name, hex, message, seedByte) => {
    const signed = parseSignedMessage(fromHex(hex));
    expect(toHex(signed.message)).toBe(message);
    expect(signed.certificate.identity.text).toBe(identityOfSeed(seedByte));
    expect(verifySignedMessage(signed, new CertificateVerifier({ root }), NOW)).toEqual({ ok: true });
    const verdict = await verifySignedMessageAsync(signed, new CertificateVerifier({ root }), NOW);
    expect(verdict).toEqual({ ok: true });
    expect(peekSignedMessage(fromHex(hex))).toEqual({ identity: identityOfSeed(seedByte), message: fromHex(message) });
  });
});

describe('the fingerprint', () => {
  it('is that of the X.509 identity certificate', () => {
    const { certificateDer, fingerprint } = vectors.fingerprint;
    const bytes = fingerprintOfX509(fromHex(certificateDer));
    expect(toHex(bytes)).toBe(fingerprint);
    expect(formatFingerprint(bytes)).toBe(fingerprint.toUpperCase());
    expect(parseFingerprint(fingerprint.toUpperCase())).toEqual(bytes);
  });
});
