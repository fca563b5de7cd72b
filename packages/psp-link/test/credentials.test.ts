import { X509Certificate } from 'node:crypto';
import { formatFingerprint } from '@discovery-raft/psp-pki';
import { checkCertificates } from '../src/handshake/check-certificates.js';
import {
  credentialsExpireAt,
  exportLinkCredentials,
  fingerprintOfCredentials,
  generateLinkCredentials,
  importLinkCredentials,
  LinkError,
} from '../src/index.js';
import { certificate, credentialsOf, DAY, NOON, rsaKey } from './fixtures/credentials.js';
import { fromHex, vectors } from './fixtures/vectors.js';

const RULES = { atSeconds: NOON, minRsaBits: 2048 };

describe('credentials', () => {
  test('the fingerprint of the deployed certificate', () => {
    const identityCertificate = fromHex(vectors.fingerprint.certificateDer);
    expect(fingerprintOfCredentials({ identityCertificate })).toBe(vectors.fingerprint.fingerprint.toUpperCase());
  });

  test('what is generated is what a peer accepts, and the identity stays when the rest is renewed', async () => {
    const dates = { notBefore: NOON - DAY, notAfter: NOON + DAY, keyBits: 2048 };
    const first = await generateLinkCredentials(dates);
    for (const [name, signed] of [
      ['link', first.linkCertificate],
      ['authenticate', first.authenticateCertificate],
    ] as const) {
      const { fingerprint } = checkCertificates(first.identityCertificate, signed, name, RULES);
      expect(formatFingerprint(fingerprint)).toBe(fingerprintOfCredentials(first));
    }
    expect(credentialsExpireAt(first)).toBe(NOON + DAY);
    const x509 = new X509Certificate(first.linkCertificate);
    expect(x509.ca).toBe(false);
    expect(new X509Certificate(first.identityCertificate).ca).toBe(true);
    expect(x509.publicKey.asymmetricKeyDetails).toEqual({ modulusLength: 2048, publicExponent: 65537n });
    const second = await generateLinkCredentials({ ...dates, identityKey: first.identityKey });
    expect(fingerprintOfCredentials(second)).toBe(fingerprintOfCredentials(first));
    expect(second.linkKey.equals(first.linkKey)).toBe(false);
    expect(second.authenticateKey.equals(first.authenticateKey)).toBe(false);
  });

  test('dates after the year 2049 are written as such certificates want them', () => {
    const key = rsaKey('old');
    const x509 = new X509Certificate(certificate(key, key, { notAfter: 2_600_000_000 }));
    expect(Date.parse(x509.validTo) / 1000).toBe(2_600_000_000);
  });

  test.each([
    ['keyBits', { keyBits: 1024 }],
    ['notAfter', { notAfter: NOON }],
    ['notAfter', { notAfter: 1e12 }],
    ['notBefore', { notBefore: -1 }],
  ])('refuses %s out of its range', async (option, changes) => {
    await expect(generateLinkCredentials({ notBefore: NOON, notAfter: NOON + 1, ...changes })).rejects.toMatchObject({
      code: 'LINK_INVALID_OPTION',
      details: { option },
    });
  });
});

describe('PEM', () => {
  const credentials = credentialsOf('ada');

  test('keeps everything', () => {
    const read = importLinkCredentials(`# keys of ada\n${exportLinkCredentials(credentials)}`);
    for (const part of ['identity', 'link', 'authenticate'] as const) {
      expect(read[`${part}Certificate`]).toEqual(credentials[`${part}Certificate`]);
      expect(read[`${part}Key`].equals(credentials[`${part}Key`])).toBe(true);
    }
  });

  test.each<[string, (pem: string) => string]>([
    ['nothing', () => ''],
    ['a block is missing', (pem) => pem.slice(0, pem.lastIndexOf('-----BEGIN'))],
    ['a block too many', (pem) => pem + pem],
    ['no base64', (pem) => pem.replace('MII', '!!!')],
    ['a flipped letter of a key', (pem) => pem.replace(/(BEGIN PRIVATE KEY-----\n.{40})./, '$1_')],
    ['too long', (pem) => pem + ' '.repeat(200_000)],
    ['the key of another', () => exportLinkCredentials({ ...credentials, linkKey: credentialsOf('bob').linkKey })],
    [
      'signed by another',
      () =>
        exportLinkCredentials({
          ...credentials,
          authenticateKey: credentialsOf('bob').authenticateKey,
          authenticateCertificate: credentialsOf('bob').authenticateCertificate,
        }),
    ],
  ])('refuses: %s', (_, change) => {
    const text = change(exportLinkCredentials(credentials));
    expect(() => importLinkCredentials(text)).toThrow(LinkError);
    expect(() => importLinkCredentials(text)).toThrow('[LINK_BAD_CREDENTIALS]');
  });
});

describe('checkCertificates', () => {
  const identity = rsaKey('identity');
  const link = rsaKey('link');
  const good = certificate(identity, identity);

  function verdict(identityDer: Uint8Array, linkDer: Uint8Array, rules = RULES): string {
    try {
      checkCertificates(identityDer, linkDer, 'link', rules);
      return 'ok';
    } catch (error) {
      if (error instanceof LinkError) return `${error.code} ${String(error.details['certificate'])}`;
      throw error;
    }
  }

  test('accepts both ends of the validity, and nothing outside', () => {
    const der = certificate(link, identity);
    const at = (atSeconds: number): string => verdict(good, der, { ...RULES, atSeconds });
    expect([at(NOON - DAY), at(NOON + DAY)]).toEqual(['ok', 'ok']);
    expect(at(NOON - DAY - 1)).toBe('LINK_CERTIFICATE_EXPIRED identity');
    expect(at(NOON + DAY + 1)).toBe('LINK_CERTIFICATE_EXPIRED identity');
    const short = certificate(link, identity, { notAfter: NOON - 1 });
    expect(verdict(good, short)).toBe('LINK_CERTIFICATE_EXPIRED link');
    const early = certificate(link, identity, { notBefore: NOON + 1 });
    expect(verdict(good, early)).toBe('LINK_CERTIFICATE_EXPIRED link');
  });

  test('refuses short keys, foreign signatures and bytes that are no certificate', () => {
    const short = rsaKey('short', 1024);
    expect(verdict(certificate(short, short), certificate(link, short))).toBe('LINK_BAD_CERTIFICATE identity');
    expect(verdict(good, certificate(short, identity))).toBe('LINK_BAD_CERTIFICATE link');
    expect(verdict(certificate(short, short), certificate(link, short), { ...RULES, minRsaBits: 1024 })).toBe('ok');
    expect(verdict(good, certificate(link, link))).toBe('LINK_BAD_CERTIFICATE link');
    expect(verdict(certificate(identity, link), certificate(link, identity))).toBe('LINK_BAD_CERTIFICATE identity');
    expect(verdict(good, Uint8Array.of(1, 2, 3))).toBe('LINK_BAD_CERTIFICATE link');
    expect(verdict(new Uint8Array(0), good)).toBe('LINK_BAD_CERTIFICATE identity');
    expect(verdict(good, Uint8Array.of(...certificate(link, identity), 0))).toBe('LINK_BAD_CERTIFICATE link');
  });

  test('refuses a key whose exponent makes verification expensive', () => {
    const slow = rsaKey('slow');
    expect(verdict(certificate(slow, slow), certificate(link, slow))).toBe('ok');
    // The same certificate with its exponent overwritten: 65537 is 01 00 01 at the end of the key.
    const bytes = certificate(slow, slow);
    const at = Buffer.from(bytes).indexOf(Uint8Array.of(0x02, 0x03, 0x01, 0x00, 0x01));
    bytes.set([0x02, 0x03, 0x00, 0x00, 0x01], at);
    expect(verdict(bytes, certificate(link, slow))).toBe('LINK_BAD_CERTIFICATE identity');
  });

  test('any flipped bit is refused', () => {
    const der = certificate(link, identity);
    for (let bit = 0; bit < 8 * der.length; bit += 37) {
      const flipped = der.with(bit >> 3, der[bit >> 3]! ^ (1 << (bit & 7)));
      expect([bit, verdict(good, flipped)]).not.toEqual([bit, 'ok']);
    }
  });
});
