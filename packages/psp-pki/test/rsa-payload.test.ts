import {
  CertificateVerifier,
  PkiError,
  buildCertificate,
  buildRsaPayload,
  fingerprintOfRsaKey,
  fingerprintOfX509,
  isRsaPayload,
  parseRsaPayload,
  rsaKeyOfX509,
  verifyRsaBinding,
} from '../src/index.js';
import { createPublicKey } from 'node:crypto';

import { ANNA, BERT, CLEO, RELAY, ROOT, regular, rsaIdentity } from './network.js';
import { NOW, fromHex, vectors } from './vectors.js';

function coded(code: string): Error {
  return expect.objectContaining({ name: 'PkiError', code }) as Error;
}

const rsa = rsaIdentity();
const bare = regular(RELAY, []);
const payload = buildRsaPayload(bare, rsa.x509, rsa.privateKey);
const bound = regular(RELAY, [ANNA, BERT, CLEO], { payload });

describe('a certificate bound to an RSA key', () => {
  it('is believed like any other, and gives the fingerprint', () => {
    expect(new CertificateVerifier({ root: ROOT }).verify(bound, NOW)).toEqual({ ok: true });
    const fingerprint = fingerprintOfX509(rsa.x509);
    expect(verifyRsaBinding(bound)).toEqual({ ok: true, fingerprint });
    expect(verifyRsaBinding(bound, fingerprint)).toEqual({ ok: true, fingerprint });
  });

  it('comes apart into what it was made of', () => {
    expect(isRsaPayload(payload)).toBe(true);
    expect(isRsaPayload(new Uint8Array(0))).toBe(false);
    const { x509, signature } = parseRsaPayload(payload);
    expect(x509).toEqual(rsa.x509);
    expect(signature).toHaveLength(256);
  });

  it('is not bound to another key', () => {
    const verdict = verifyRsaBinding(bound, fromHex(vectors.fingerprint.fingerprint));
    expect(verdict).toMatchObject({ ok: false, code: 'PKI_FINGERPRINT_MISMATCH' });
  });

  it('does not lend its payload to another certificate', () => {
    const thief = regular(RELAY, [], { payload, notAfter: bare.notAfter + 1 });
    expect(verifyRsaBinding(thief)).toMatchObject({ ok: false, code: 'PKI_BAD_RSA_SIGNATURE' });
  });

  it('never gives another fingerprint when the payload is changed, and is then not believed itself', () => {
    const verifier = new CertificateVerifier({ root: ROOT });
    const fingerprint = fingerprintOfX509(rsa.x509);
    for (let at = 0; at < payload.length; at += 7) {
      const changed = payload.map((byte, index) => (index === at ? byte ^ 0x55 : byte));
      const verdict = verifyRsaBinding({ ...bound, payload: changed });
      // The RSA key signs for itself, not for the rest of its X.509: that the Ed25519 master signature covers.
      expect([at, verdict.ok ? verdict.fingerprint : fingerprint]).toEqual([at, fingerprint]);
      const certificate = buildCertificate({ ...bound, payload: changed });
      expect(verifier.verify(certificate, NOW)).toMatchObject({ ok: false, code: 'PKI_BAD_MASTER_SIGNATURE' });
    }
  });

  it('is not bound with the payload cut anywhere', () => {
    for (let length = 0; length < payload.length; length += 5) {
      expect(verifyRsaBinding({ ...bound, payload: payload.slice(0, length) }).ok).toBe(false);
    }
  });
});

describe('what is no RSA payload', () => {
  it.each<[string, Uint8Array, string]>([
    ['empty', new Uint8Array(0), 'PKI_TRUNCATED'],
    ['another mark', Uint8Array.of(0xab, 0, 0, 1), 'PKI_RSA_PAYLOAD_MALFORMED'],
    ['a longer X.509 than there is', Uint8Array.of(0xaa, 1, 0, 1), 'PKI_TRUNCATED'],
    ['no signature', Uint8Array.of(0xaa, 0, 1, 1), 'PKI_RSA_PAYLOAD_MALFORMED'],
    ['a signature of no RSA key', Uint8Array.of(0xaa, 0, 0, ...new Uint8Array(1_025)), 'PKI_RSA_PAYLOAD_MALFORMED'],
  ])('%s', (_what, bytes, code) => {
    expect(() => parseRsaPayload(bytes)).toThrow(coded(code));
    expect(verifyRsaBinding({ ...bound, payload: bytes })).toMatchObject({ ok: false, code });
  });

  it('is not made with the wrong private key', () => {
    const other = rsaIdentity();
    expect(() => buildRsaPayload(bare, rsa.x509, other.privateKey)).toThrow(coded('PKI_INVALID_ARGUMENT'));
    const halfKey = createPublicKey(rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(() => buildRsaPayload(bare, rsa.x509, halfKey)).toThrow(coded('PKI_INVALID_KEY'));
  });
});

describe('X.509 certificates', () => {
  const der = fromHex(vectors.fingerprint.certificateDer);

  it.each<[string, () => unknown, string]>([
    ['garbage', () => rsaKeyOfX509(Uint8Array.of(1, 2, 3)), 'PKI_X509_MALFORMED'],
    ['nothing', () => rsaKeyOfX509(new Uint8Array(0)), 'PKI_X509_MALFORMED'],
    ['bytes after it', () => rsaKeyOfX509(Uint8Array.of(...der, 0)), 'PKI_X509_MALFORMED'],
    [
      'PEM',
      () =>
        rsaKeyOfX509(
          Buffer.from(
            `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`,
          ),
        ),
      'PKI_X509_MALFORMED',
    ],
    ['too long a one', () => rsaKeyOfX509(new Uint8Array(65_536)), 'PKI_TOO_LARGE'],
    ['a key below the least length', () => rsaKeyOfX509(der, 3_072), 'PKI_X509_MALFORMED'],
    ['a short key', () => rsaKeyOfX509(rsaIdentity(1_024).x509), 'PKI_X509_MALFORMED'],
  ])('%s is refused', (_what, read, code) => {
    expect(read).toThrow(coded(code));
  });

  it('a short key is accepted where the caller says so', () => {
    expect(rsaKeyOfX509(rsaIdentity(1_024).x509, 1_024).asymmetricKeyType).toBe('rsa');
  });

  it('a private key has no fingerprint', () => {
    expect(() => fingerprintOfRsaKey(rsa.privateKey)).toThrow(coded('PKI_INVALID_KEY'));
  });

  it('any change of the bytes is read or refused in the one way', () => {
    for (let at = 0; at < der.length; at++) {
      const changed = der.map((byte, index) => (index === at ? byte ^ 0xff : byte));
      let thrown: unknown = undefined;
      try {
        fingerprintOfX509(changed);
      } catch (error) {
        thrown = error;
      }
      expect(thrown === undefined || thrown instanceof PkiError).toBe(true);
    }
  });
});
