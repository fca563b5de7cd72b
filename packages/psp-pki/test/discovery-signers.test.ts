import { DiscoverySigners, trustRootOf } from '../src/index.js';
import { member, selfSigned } from './network.js';
import { NOT_AFTER } from './vectors.js';

const ONE = member('discovery one', 'discovery');
const TWO = member('discovery two', 'discovery');
const STRANGER = member('a stranger', 'discovery');
const ANNA = member('anna', 'auth');
const CONTENT = new Uint8Array([1, 2, 3]);

const signatureOf = (holder: typeof ONE, content = CONTENT) => ({
  certificate: selfSigned(holder).bytes,
  signature: holder.key.sign(content),
});

describe('the discovery nodes of a trust root', () => {
  const root = trustRootOf({
    profile: 'xpx',
    threshold: 1,
    authorities: [ANNA.identity.text],
    nodes: [{ identity: ONE.identity.text }, { identity: TWO.identity.text }],
  });
  const signers = new DiscoverySigners(root);

  test('are told apart by their signatures', async () => {
    expect(await signers.signerOf(signatureOf(ONE), CONTENT, NOT_AFTER)).toBe(ONE.identity.text);
    expect(await signers.signerOf(signatureOf(TWO), CONTENT, NOT_AFTER)).toBe(TWO.identity.text);
  });

  test('are not a stranger, an authority, another content, a later time, or garbage', async () => {
    const signed = signatureOf(ONE);
    expect(await signers.signerOf(signatureOf(STRANGER), CONTENT, NOT_AFTER)).toBeUndefined();
    expect(await signers.signerOf(signatureOf(ANNA), CONTENT, NOT_AFTER)).toBeUndefined();
    expect(await signers.signerOf(signed, new Uint8Array([1]), NOT_AFTER)).toBeUndefined();
    expect(await signers.signerOf(signed, CONTENT, NOT_AFTER + 1)).toBeUndefined();
    expect(await signers.signerOf({ ...signed, certificate: CONTENT }, CONTENT, NOT_AFTER)).toBeUndefined();
  });

  test('cannot be of another profile, nor be no identities', () => {
    const facts = { profile: 'xpx', threshold: 1, authorities: [], nodes: [{ identity: 'd1' }] };
    expect(() => trustRootOf(facts)).toThrow('[PKI_');
    expect(() => trustRootOf({ ...facts, profile: 'tor' })).toThrow();
  });
});
