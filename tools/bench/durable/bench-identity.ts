import { createNodeIdentity, type NodeIdentity } from '@discovery-raft/discovery-node';
import { SigningKey } from '@discovery-raft/psp-pki';

const DAY_SECONDS = 86_400;

/** The discovery node of a seed of 32 bytes, with a certificate for this day. */
export function benchIdentity(seed: Uint8Array): NodeIdentity {
  const now = Math.floor(Date.now() / 1000);
  const key = SigningKey.fromSeed(seed);
  const dates = { notBefore: now - DAY_SECONDS, notAfter: now + DAY_SECONDS };
  return createNodeIdentity({ role: 'discovery', masterKey: key, signingKey: key, ...dates });
}
