import { hash } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { signItem } from '@discovery-raft/discovery-client';
import { DiscoveryItemSchema } from '@discovery-raft/protocol';
import {
  createMember,
  parseSignedMessage,
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
  const { certificate, key } = createMember({
    ...network,
    subNamespace: 'onion',
    masterKey: demoKey('relay master', relay.fingerprint),
    signingKey: demoKey('relay', relay.fingerprint),
  });
  return {
    identity: certificate.identity,
    certificate,
    key,
    fingerprint: hexHash('fingerprint', relay),
    handshake: hexHash('handshake', relay),
  };
}

/** Signs what the relay publishes. */
export function signPlanned(publisher: Publisher, planned: PlannedItem, profile: NetworkProfile): Publication {
  const { fingerprint, handshake } = publisher;
  const { publishAt, expiration } = planned;
  const packet = signItem(publisher, { fingerprint, handshake, address: planned.relay.address, expiration }, profile);
  const itemBytes = parseSignedMessage(packet).message;
  return { identity: publisher.identity.text, publishAt, expiration, itemBytes, packet };
}

/** What the relay says of itself: the bytes of its `DiscoveryItem`, by protobuf's own encoder, to compare others with. */
export function encodeItem(publisher: Publisher, planned: PlannedItem, version: string): Uint8Array {
  return toBinary(
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
}

/** The relay's own fingerprint has 20 bytes; the protocol's have 32. */
function hexHash(purpose: string, relay: Relay): string {
  return hash('sha256', `${purpose}/${relay.fingerprint}`, 'hex').toUpperCase();
}
