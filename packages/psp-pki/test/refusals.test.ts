import {
  PKI_ERROR_CODES,
  PKI_REFUSAL_CODES,
  PSP_PROFILE,
  SigningKey,
  VERDICT_CODES,
  VerifyingKey,
  XPX_PROFILE,
  addTrustSignature,
  buildCertificate,
  createTrustRoot,
  formatIdentity,
  issueRegularCertificate,
  issueSelfSignedCertificate,
  networkProfile,
  parseCertificate,
  parseFingerprint,
  formatFingerprint,
  parseIdentity,
  verifyEd25519,
  verifyEd25519Async,
} from '../src/index.js';
import { ANNA, BERT, CLEO, NODE, RELAY, ROOT, keyOf, member, regular, selfSigned } from './network.js';
import { NOT_AFTER, NOT_BEFORE, identityOfSeed } from './vectors.js';

function coded(code: string): Error {
  return expect.objectContaining({ name: 'PkiError', code }) as Error;
}

const good = regular(RELAY, [ANNA, BERT, CLEO]);

describe('bytes that are not a certificate', () => {
  const node = selfSigned(NODE).bytes;
  const patched = (at: number, ...values: number[]): Uint8Array => {
    const bytes = Uint8Array.from(node);
    bytes.set(values, at);
    return bytes;
  };
  // method 1, times 16, key 32: the identity's length stands at 49.
  it.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'PKI_TRUNCATED'],
    ['another method', patched(0, 0xe1), 'PKI_UNKNOWN_METHOD'],
    ['a time beyond 2^53', patched(1, 0x00, 0x20, 0, 0, 0, 0, 0, 0), 'PKI_TIME_OUT_OF_RANGE'],
    ['the largest time', patched(9, ...new Array<number>(8).fill(255)), 'PKI_TIME_OUT_OF_RANGE'],
    ['an identity longer than the bytes', patched(49, 255, 255), 'PKI_TRUNCATED'],
    ['an identity that is not ASCII', patched(51, 0xf8), 'PKI_IDENTITY_MALFORMED'],
    ['an identity of another role', patched(55, 'D'.charCodeAt(0)), 'PKI_IDENTITY_CHECKSUM'],
    ['a byte after a self-signed one', Uint8Array.of(...node, 0), 'PKI_TRAILING_BYTES'],
    ['a byte after a regular one', Uint8Array.of(...good.bytes, 0), 'PKI_TRUNCATED'],
  ])('%s', (_what, bytes, code) => {
    expect(() => parseCertificate(bytes)).toThrow(coded(code));
  });

  it('an identity field of more than 255 bytes', () => {
    const identity = { ...RELAY.identity, text: 'x'.repeat(256) };
    expect(() => buildCertificate({ ...good, identity })).toThrow(coded('PKI_IDENTITY_MALFORMED'));
  });

  it('a signer with trust signatures of its own', () => {
    const trust = { signature: new Uint8Array(64), certificate: good };
    expect(() => buildCertificate({ ...good, trustSignatures: [trust] })).toThrow(coded('PKI_SIGNER_NOT_SELF_SIGNED'));
    const mixed = Uint8Array.of(...ANNA.certificate.bytes, ...good.bytes.subarray(good.wholeBody.length + 1));
    const certificate = { ...ANNA.certificate, bytes: mixed };
    const chain = [{ signature: new Uint8Array(64), certificate }];
    const built = () => buildCertificate({ ...good, trustSignatures: chain });
    expect(built).toThrow(coded('PKI_SIGNER_HAS_TRUST_SIGNATURES'));
  });

  it('more trust signatures, or more bytes, than the limit', () => {
    expect(parseCertificate(good.bytes, { maxTrustSignatures: 3 }).trustSignatures).toHaveLength(3);
    const few = { maxTrustSignatures: 2 };
    expect(() => parseCertificate(good.bytes, few)).toThrow(coded('PKI_TOO_MANY_TRUST_SIGNATURES'));
    const short = { maxCertificateBytes: good.bytes.length - 1 };
    expect(() => parseCertificate(good.bytes, short)).toThrow(coded('PKI_TOO_LARGE'));
  });
});

describe('text that is not an identity', () => {
  const text = identityOfSeed(1);
  const key = text.slice(text.lastIndexOf('.') + 1);
  it.each([
    ['too few parts', 'xpx.discovery.node', 'PKI_IDENTITY_MALFORMED'],
    ['too many parts', `${text}.x`, 'PKI_IDENTITY_MALFORMED'],
    ['no namespace', `.discovery.node.${key}`, 'PKI_IDENTITY_MALFORMED'],
    ['a blank in a name', `xpx.disco very.node.${key}`, 'PKI_IDENTITY_MALFORMED'],
    ['another type', `xpx.discovery.robot.${key}`, 'PKI_IDENTITY_MALFORMED'],
    ['an inherited property as type', `xpx.discovery.constructor.${key}`, 'PKI_IDENTITY_MALFORMED'],
    ['a key with an alien character', `xpx.discovery.node.0${key.slice(1)}`, 'PKI_BASE58'],
    ['a short key', `xpx.discovery.node.${key.slice(5)}`, 'PKI_IDENTITY_MALFORMED'],
    ['a long key', `xpx.discovery.node.${'1'.repeat(51)}`, 'PKI_IDENTITY_MALFORMED'],
    ['a key with a zero before it', `xpx.discovery.node.1${key}`, 'PKI_IDENTITY_MALFORMED'],
    ['the key of another role', `xpx.auth.node.${key}`, 'PKI_IDENTITY_CHECKSUM'],
    ['another case in the names', `XPX.discovery.node.${key}`, 'PKI_IDENTITY_CHECKSUM'],
    ['more than 255 characters', 'x'.repeat(256), 'PKI_IDENTITY_MALFORMED'],
  ])('%s', (_what, wrong, code) => {
    expect(() => parseIdentity(wrong)).toThrow(coded(code));
  });

  it('cannot be written either', () => {
    const parts = { namespace: 'xpx', subNamespace: 'onion', type: 'node', publicKey: new Uint8Array(32) } as const;
    expect(() => formatIdentity({ ...parts, publicKey: new Uint8Array(31) })).toThrow(coded('PKI_INVALID_KEY'));
    for (const namespace of ['', 'a.b', 'é', 'x'.repeat(240)]) {
      expect(() => formatIdentity({ ...parts, namespace })).toThrow(coded('PKI_IDENTITY_MALFORMED'));
    }
  });
});

describe('keys', () => {
  const key = keyOf('signer');
  const message = Uint8Array.of(1, 2, 3);

  it('sign and verify, now or in the thread pool', async () => {
    const signature = key.sign(message);
    expect(await key.signAsync(message)).toEqual(signature);
    expect(verifyEd25519(key.publicKey, message, signature)).toBe(true);
    expect(await verifyEd25519Async(key.publicKey, message, signature)).toBe(true);
    expect(verifyEd25519(key.publicKey, Uint8Array.of(1, 2), signature)).toBe(false);
    expect(await verifyEd25519Async(key.publicKey, Uint8Array.of(1, 2), signature)).toBe(false);
  });

  it('of the wrong length verify nothing and cannot be imported', async () => {
    const signature = key.sign(message);
    expect(verifyEd25519(new Uint8Array(31), message, signature)).toBe(false);
    expect(await verifyEd25519Async(new Uint8Array(33), message, signature)).toBe(false);
    expect(await verifyEd25519Async(key.publicKey, message, signature.slice(1))).toBe(false);
    expect(() => VerifyingKey.fromBytes(new Uint8Array(33))).toThrow(coded('PKI_INVALID_KEY'));
    expect(() => SigningKey.fromSeed(new Uint8Array(31))).toThrow(coded('PKI_INVALID_KEY'));
  });

  it('that are no point of the curve verify nothing', () => {
    expect(verifyEd25519(new Uint8Array(32).fill(255), message, key.sign(message))).toBe(false);
  });

  it('are generated anew each time', () => {
    const one = SigningKey.generate();
    expect(one.publicKey).not.toEqual(SigningKey.generate().publicKey);
    expect(verifyEd25519(one.publicKey, message, one.sign(message))).toBe(true);
  });

  it('never show their private half', () => {
    expect(Object.keys(key)).toEqual(['publicKey']);
    expect(JSON.stringify(key)).toBe(JSON.stringify({ publicKey: key.publicKey }));
  });
});

describe('what the caller may not ask for', () => {
  const terms = { notBefore: NOT_BEFORE, notAfter: NOT_AFTER, publicKey: RELAY.key.publicKey };
  const own = { identity: RELAY.identity, masterKey: RELAY.master, ...terms };

  it.each<[string, () => unknown, string]>([
    ['a thief’s self-signed certificate', () => issueSelfSignedCertificate({ ...own, masterKey: keyOf('thief') }), ''],
    ['a thief’s regular certificate', () => issueRegularCertificate({ ...own, masterKey: keyOf('thief') }), ''],
    ['a reversed validity', () => issueRegularCertificate({ ...own, notAfter: NOT_BEFORE - 1 }), ''],
    ['a trust signature on a self-signed one', () => addTrustSignature(selfSigned(NODE), ANNA), ''],
    ['an authority with another’s key', () => addTrustSignature(good, { ...ANNA, key: BERT.key }), ''],
    ['half a second', () => issueRegularCertificate({ ...own, notAfter: NOT_AFTER + 0.5 }), 'PKI_TIME_OUT_OF_RANGE'],
    ['a time before 1970', () => issueRegularCertificate({ ...own, notBefore: -1 }), 'PKI_TIME_OUT_OF_RANGE'],
    ['a long payload', () => issueRegularCertificate({ ...own, payload: new Uint8Array(65_536) }), 'PKI_TOO_LARGE'],
    [
      'a short key',
      () => issueRegularCertificate({ ...own, publicKey: new Uint8Array(5), masterKey: RELAY.master }),
      'PKI_INVALID_KEY',
    ],
    ['a threshold of zero', () => createTrustRoot({ ...ROOT, threshold: 0 }), ''],
    ['a threshold that is no number', () => createTrustRoot({ ...ROOT, threshold: Number.NaN }), ''],
    ['a threshold above the authorities', () => createTrustRoot({ ...ROOT, threshold: 5 }), ''],
    ['a root of the other network', () => createTrustRoot({ ...ROOT, profile: PSP_PROFILE }), ''],
    ['trust in an account', () => createTrustRoot({ authorities: [identityOfSeed(7)], threshold: 1 }), ''],
    ['trust in what is no identity', () => createTrustRoot({ discoveryNodes: ['x'] }), 'PKI_IDENTITY_MALFORMED'],
    ['an unknown network', () => networkProfile('tor'), ''],
    ['a short fingerprint', () => formatFingerprint(new Uint8Array(31)), ''],
  ])('%s', (_what, ask, code) => {
    expect(ask).toThrow(coded(code === '' ? 'PKI_INVALID_ARGUMENT' : code));
  });

  it('trust signatures can be added one after another', () => {
    const stepwise = [ANNA, BERT, CLEO].reduce(addTrustSignature, issueRegularCertificate(own));
    expect(stepwise.bytes).toEqual(good.bytes);
  });
});

describe('names', () => {
  it('of the profiles', () => {
    expect(networkProfile('xpx')).toBe(XPX_PROFILE);
    expect(networkProfile('psp')).toBe(PSP_PROFILE);
    const authorities = [member('one', 'auth', 'peerstream').identity.text];
    expect(createTrustRoot({ profile: PSP_PROFILE, authorities, threshold: 1 }).profile.name).toBe('psp');
  });

  it('of the codes are distinct, and the list is whole', () => {
    expect(new Set(VERDICT_CODES).size).toBe(PKI_ERROR_CODES.length + PKI_REFUSAL_CODES.length);
  });

  it('a fingerprint’s text is 64 upper-case hex digits', () => {
    expect(parseFingerprint('AB'.repeat(32))).toEqual(new Uint8Array(32).fill(0xab));
    for (const wrong of ['ab'.repeat(32), 'AB'.repeat(31), 'AB'.repeat(33), 'AG'.repeat(32), `${'AB'.repeat(31)}A\n`]) {
      expect(parseFingerprint(wrong)).toBeUndefined();
    }
  });
});
