// Who there is: authorities that vouch, discovery nodes, and network nodes ("relays") that publish themselves.
import { hash } from 'node:crypto';
import { signItem } from '@discovery-raft/discovery-client';
import { createMember, type Authority, type Member } from '@discovery-raft/psp-pki';

const NOW = Math.floor(Date.now() / 1000);
const VALIDITY = { notBefore: NOW - 3600, notAfter: NOW + 86_400 };

/** An authority or a discovery node: the trust root names it. */
export function official(subNamespace: 'auth' | 'discovery'): Member {
  return createMember({ subNamespace, ...VALIDITY });
}

/** A relay's signed packet: where it can be reached for the next hour. The authorities vouch for it. */
export function relayPacket(name: string, address: string, authorities: readonly Authority[]): Uint8Array {
  const hex = (what: string): string => hash('sha256', `${what} of ${name}`).toUpperCase();
  return signItem(createMember({ subNamespace: 'onion', authorities, ...VALIDITY }), {
    fingerprint: hex('fingerprint'),
    handshake: hex('handshake'),
    address: [address],
    expiration: NOW + 3600,
  });
}
