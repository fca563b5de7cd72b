import { CertificateVerifier, createMember, createTrustRoot, PSP_PROFILE, SigningKey } from '../src/index.js';
import { NOT_AFTER, NOT_BEFORE, NOW } from './vectors.js';

const validity = { notBefore: NOT_BEFORE, notAfter: NOT_AFTER };

describe('createMember', () => {
  const authorities = [1, 2, 3].map(() => createMember({ subNamespace: 'auth', ...validity }));
  const root = createTrustRoot({ authorities: authorities.map(({ identity }) => identity) });
  const verifier = new CertificateVerifier({ root });

  test('an authority signs itself; a relay is vouched for; both are believed', () => {
    const relay = createMember({ subNamespace: 'onion', authorities, ...validity });
    for (const { certificate } of [authorities[0]!, relay])
      expect(verifier.verify(certificate, NOW)).toEqual({ ok: true });
    expect(relay.identity).toMatch(/^xpx\.onion\.node\./);
    expect(relay.certificate).toMatchObject({ identity: { text: relay.identity }, ...validity });
    expect(relay.certificate.trustSignatures).toHaveLength(3);
    expect(relay.certificate.publicKey).toEqual(relay.key.publicKey);
  });

  test('nobody vouches for a stranger', () => {
    const stranger = createMember({ subNamespace: 'onion', authorities: [], ...validity });
    expect(verifier.verify(stranger.certificate, NOW)).toMatchObject({ ok: false, code: 'PKI_TOO_FEW_AUTHORITIES' });
  });

  test('keys that are given are used: the same master key is the same identity, in any profile', () => {
    const masterKey = SigningKey.generate();
    const [first, second] = [1, 2].map(() => createMember({ subNamespace: 'discovery', masterKey, ...validity }));
    expect(first!.identity).toBe(second!.identity);
    expect(first!.key.publicKey).not.toEqual(second!.key.publicKey);
    const signingKey = SigningKey.generate();
    const other = createMember({ subNamespace: 'discovery', masterKey, signingKey, profile: PSP_PROFILE, ...validity });
    expect([other.key, other.masterKey]).toEqual([signingKey, masterKey]);
    expect(other.identity.startsWith(`${PSP_PROFILE.systemNamespace}.discovery.node.`)).toBe(true);
  });

  test('dates that are the wrong way round are refused', () => {
    const reversed = { notBefore: NOT_AFTER, notAfter: NOT_BEFORE };
    expect(() => createMember({ subNamespace: 'onion', ...reversed })).toThrow('PKI_INVALID_ARGUMENT');
  });
});
