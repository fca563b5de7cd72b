import { CertificateVerifier, openDetachedSignatureAsync } from '../src/index.js';
import { NODE, RELAY, ROOT, selfSigned } from './network.js';
import { NOT_AFTER, NOW } from './vectors.js';

describe('a detached signature', () => {
  const verifier = new CertificateVerifier({ root: ROOT });
  const content = new TextEncoder().encode('the listing of this round');
  const certificate = selfSigned(NODE).bytes;
  const detached = { certificate, signature: NODE.key.sign(content) };

  it('names its signer when it is to be believed', async () => {
    const opened = await openDetachedSignatureAsync(detached, content, verifier, NOW);
    expect(opened).toMatchObject({ ok: true, certificate: { identity: NODE.identity } });
  });

  it.each<[string, typeof detached, Uint8Array, number, string]>([
    ['other content', detached, content.slice(1), NOW, 'PKI_BAD_MESSAGE_SIGNATURE'],
    ['too late', detached, content, NOT_AFTER + 1, 'PKI_EXPIRED'],
    ['an untrusted signer', { ...detached, certificate: selfSigned(RELAY).bytes }, content, NOW, 'PKI_NOT_TRUSTED'],
    ['no certificate', { ...detached, certificate: new Uint8Array(0) }, content, NOW, 'PKI_TRUNCATED'],
    ['no signature', { ...detached, signature: new Uint8Array(0) }, content, NOW, 'PKI_BAD_MESSAGE_SIGNATURE'],
  ])('is refused: %s', async (_why, signature, over, atSeconds, code) => {
    const opened = await openDetachedSignatureAsync(signature, over, verifier, atSeconds);
    expect(opened).toMatchObject({ ok: false, code });
  });

  it('costs one verification more when its certificate is known', async () => {
    const { signatureChecks } = verifier.stats;
    await openDetachedSignatureAsync(detached, content, verifier, NOW);
    expect(verifier.stats.signatureChecks).toBe(signatureChecks + 1);
  });
});
