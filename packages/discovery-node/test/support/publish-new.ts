import { signItem, type DiscoveryClient } from '@discovery-raft/discovery-client';
import { createMember } from '@discovery-raft/psp-pki';
import type { MadeNetwork } from '../../src/index.js';

/** Somebody new who publishes; gives the identity once a node says that the item is in the shared list. */
export async function publishNew(client: DiscoveryClient, { root, authorities }: MadeNetwork): Promise<string | null> {
  const { profile } = root;
  const now = Math.floor(Date.now() / 1000);
  const dates = { notBefore: now - 3600, notAfter: now + 3600 };
  const relay = createMember({ subNamespace: 'onion', authorities, profile, ...dates });
  const item = { fingerprint: 'AB'.repeat(32), handshake: 'CD'.repeat(32), address: ['192.0.2.1:1'] };
  const result = await client
    .publish(signItem(relay, { ...item, expiration: now + 3000 }, profile), 20_000)
    .catch(() => null);
  return result?.status === 'accepted' ? relay.identity : null;
}
