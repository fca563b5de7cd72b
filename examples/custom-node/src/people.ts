// Who there is: authorities that vouch, discovery nodes, and network nodes ("relays") that publish themselves.
import { hash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema } from '@discovery-raft/protocol';
import {
  buildSignedMessage,
  createIdentity,
  issueRegularCertificate,
  issueSelfSignedCertificate,
  SigningKey,
  type Authority,
} from '@discovery-raft/psp-pki';

const NOW = Math.floor(Date.now() / 1000);

function newcomer(subNamespace: string) {
  const masterKey = SigningKey.generate();
  const key = SigningKey.generate();
  const identity = createIdentity({ namespace: 'xpx', subNamespace, type: 'node', publicKey: masterKey.publicKey });
  const validity = { notBefore: NOW - 3600, notAfter: NOW + 86_400 };
  return { identity, key, request: { identity, masterKey, publicKey: key.publicKey, ...validity } };
}

/** An authority or a discovery node: the trust root names it. */
export function official(role: 'auth' | 'discovery'): Authority {
  const { key, request } = newcomer(role);
  return { certificate: issueSelfSignedCertificate(request), key };
}

/** A relay's signed packet: where it can be reached for the next hour. Three authorities vouch for it. */
export function relayPacket(name: string, address: string, authorities: readonly Authority[]): Uint8Array {
  const { identity, key, request } = newcomer('onion');
  const hex = (what: string): string => hash('sha256', `${what} of ${name}`).toUpperCase();
  const item = create(DiscoveryItemSchema, {
    version: 'xpx-discovery-1.0',
    identity: identity.text,
    fingerprint: hex('fingerprint'),
    handshake: hex('handshake'),
    mode: 'onion',
    address: [address],
    expiration: BigInt(NOW + 3600),
  });
  const certificate = issueRegularCertificate(request, authorities);
  return buildSignedMessage({ certificate, key, message: toBinary(DiscoveryItemSchema, item) });
}
