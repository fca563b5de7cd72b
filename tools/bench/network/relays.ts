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
  type TrustRoot,
} from '@discovery-raft/psp-pki';

const HOUR_SECONDS = 3600;

/** Somebody who publishes, with a certificate that the authorities signed. */
export class Relay {
  readonly identity: string;
  readonly #version: string;
  readonly #key: SigningKey;
  readonly #certificate: FlatCertificate;
  readonly #hex: string;

  constructor(name: string, root: TrustRoot, authorities: readonly Authority[]) {
    const masterKey = SigningKey.fromSeed(hash('sha256', `bench master ${name}`, 'buffer'));
    this.#key = SigningKey.fromSeed(hash('sha256', `bench ${name}`, 'buffer'));
    this.#hex = hash('sha256', name, 'hex').toUpperCase();
    this.#version = root.profile.discoveryVersion;
    const identity = createIdentity({
      namespace: root.profile.systemNamespace,
      subNamespace: 'onion',
      type: 'node',
      publicKey: masterKey.publicKey,
    });
    const now = Math.floor(Date.now() / 1000);
    const dates = { notBefore: now - HOUR_SECONDS, notAfter: now + 48 * HOUR_SECONDS };
    this.identity = identity.text;
    this.#certificate = issueRegularCertificate(
      { identity, masterKey, publicKey: this.#key.publicKey, ...dates },
      authorities,
    );
  }

  /** A signed packet with an item that holds until `expiration`, Unix seconds. */
  packet(expiration: number): Uint8Array {
    const item = create(DiscoveryItemSchema, {
      version: this.#version,
      identity: this.identity,
      fingerprint: this.#hex,
      handshake: this.#hex,
      mode: 'onion',
      address: ['192.0.2.1:9001'],
      expiration: BigInt(expiration),
    });
    return buildSignedMessage({
      certificate: this.#certificate,
      key: this.#key,
      message: toBinary(DiscoveryItemSchema, item),
    });
  }
}

/** Unix seconds so many hours from now. */
export function inHours(hours: number): number {
  return Math.floor(Date.now() / 1000) + hours * HOUR_SECONDS;
}
