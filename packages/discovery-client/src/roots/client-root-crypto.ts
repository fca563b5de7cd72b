import { hash } from 'node:crypto';
import type { RootCrypto } from '@discovery-raft/psp-envelope';
import { DiscoverySigners, trustRootOf } from '@discovery-raft/psp-pki';

/** The cryptography of trust roots, on node:crypto. */
export const CLIENT_ROOT_CRYPTO: RootCrypto = {
  sha256: (bytes) => hash('sha256', bytes, 'buffer'),
  signersOf: (document) => new DiscoverySigners(trustRootOf(document)),
};
