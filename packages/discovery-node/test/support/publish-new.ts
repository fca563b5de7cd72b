import type { DiscoveryClient } from '@discovery-raft/discovery-client';
import { createIdentity, issueRegularCertificate, SigningKey } from '@discovery-raft/psp-pki';
import { signPublication } from '../../src/keys/publisher-file.js';
import type { MadeNetwork } from '../../src/index.js';

/** Somebody new who publishes; gives the identity once a node says that the item is in the shared list. */
export async function publishNew(client: DiscoveryClient, { root, authorities }: MadeNetwork): Promise<string | null> {
  const now = Math.floor(Date.now() / 1000);
  const masterKey = SigningKey.generate();
  const key = SigningKey.generate();
  const identity = createIdentity({
    namespace: root.profile.systemNamespace,
    subNamespace: 'onion',
    type: 'node',
    publicKey: masterKey.publicKey,
  });
  const dates = { notBefore: now - 3600, notAfter: now + 3600 };
  const certificate = issueRegularCertificate({ identity, masterKey, publicKey: key.publicKey, ...dates }, authorities);
  const packet = signPublication(
    { identity: identity.text, certificate, key },
    {
      version: root.profile.discoveryVersion,
      fingerprint: 'AB'.repeat(32),
      handshake: 'CD'.repeat(32),
      address: ['192.0.2.1:1'],
      expiration: now + 3000,
    },
  );
  const result = await client.publish(packet, 20_000).catch(() => null);
  return result?.status === 'accepted' ? identity.text : null;
}
