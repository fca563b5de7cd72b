import { hash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema } from '@discovery-raft/protocol';
import {
  buildSignedMessage,
  createIdentity,
  issueRegularCertificate,
  SigningKey,
  type Authority,
  type FlatCertificate,
  type Identity,
  type NetworkProfile,
} from '@discovery-raft/psp-pki';
import type { PlannedItem } from './plan.js';
import type { Relay } from './relays.js';

/** What a relay published, as it knows it itself. */
export interface Publication {
  readonly identity: string;
  readonly publishAt: number;
  readonly expiration: number;
  readonly itemBytes: Uint8Array;
  /** The signed message. */
  readonly packet: Uint8Array;
}

/** A relay's keys and certificate, all derived from its fingerprint. */
export interface Publisher {
  readonly identity: Identity;
  readonly certificate: FlatCertificate;
  readonly key: SigningKey;
  readonly fingerprint: string;
  readonly handshake: string;
}

/** A key that belongs to a name: for demonstrations only, since whoever knows the name knows the key. */
export function demoKey(purpose: string, name: string): SigningKey {
  return SigningKey.fromSeed(hash('sha256', `discovery-raft demonstration/${purpose}/${name}`, 'buffer'));
}

/** Makes the publisher of a relay; its certificate is signed by the authorities. */
export function createPublisher(
  relay: Relay,
  network: {
    readonly profile: NetworkProfile;
    readonly authorities: readonly Authority[];
    readonly notBefore: number;
    readonly notAfter: number;
  },
): Publisher {
  const masterKey = demoKey('relay master', relay.fingerprint);
  const key = demoKey('relay', relay.fingerprint);
  const identity = createIdentity({
    namespace: network.profile.systemNamespace,
    subNamespace: 'onion',
    type: 'node',
    publicKey: masterKey.publicKey,
  });
  const { notBefore, notAfter, authorities } = network;
  const certificate = issueRegularCertificate(
    { identity, masterKey, publicKey: key.publicKey, notBefore, notAfter },
    authorities,
  );
  return {
    identity,
    certificate,
    key,
    fingerprint: hexHash('fingerprint', relay),
    handshake: hexHash('handshake', relay),
  };
}

/** Signs what the relay publishes. */
export function signItem(publisher: Publisher, planned: PlannedItem, version: string): Publication {
  const itemBytes = toBinary(
    DiscoveryItemSchema,
    create(DiscoveryItemSchema, {
      version,
      identity: publisher.identity.text,
      fingerprint: publisher.fingerprint,
      handshake: publisher.handshake,
      mode: 'onion',
      address: [...planned.relay.address],
      expiration: BigInt(planned.expiration),
    }),
  );
  const packet = buildSignedMessage({ certificate: publisher.certificate, key: publisher.key, message: itemBytes });
  return {
    identity: publisher.identity.text,
    publishAt: planned.publishAt,
    expiration: planned.expiration,
    itemBytes,
    packet,
  };
}

/** The relay's own fingerprint has 20 bytes; the protocol's have 32. */
function hexHash(purpose: string, relay: Relay): string {
  return hash('sha256', `${purpose}/${relay.fingerprint}`, 'hex').toUpperCase();
}
