import { createPublicKey, verify } from 'node:crypto';
import { SigningKey, verifyEd25519 } from '@discovery-raft/psp-pki';
import type { Bench } from '../bench.js';
import { comparedRates } from '../rate.js';

const messageBytes = 256;

/** Signatures checked per second on one thread; beside it, Node's own check with the key already parsed. */
const verifyRate: Bench = {
  name: 'ed25519/verify',
  unit: 'op/s',
  run: async ({ effort }) => {
    const key = SigningKey.fromSeed(new Uint8Array(32).fill(7));
    const message = new Uint8Array(messageBytes).fill(1);
    const signature = key.sign(message);
    const x = Buffer.from(key.publicKey).toString('base64url');
    const parsed = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    const ours = (): boolean => verifyEd25519(key.publicKey, message, signature);
    const theirs = (): boolean => verify(null, message, parsed, signature);
    if (!ours() || !theirs()) throw new Error('The signature that is measured does not verify.');
    const [value = NaN, baseline] = comparedRates([ours, theirs], effort);
    return { value, baseline };
  },
};

export default [verifyRate];
