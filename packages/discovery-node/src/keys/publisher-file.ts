import { create, toBinary } from '@bufbuild/protobuf';
import { DiscoveryItemSchema } from '@discovery-raft/protocol';
import {
  buildSignedMessage,
  createIdentity,
  issueRegularCertificate,
  type Authority,
  type FlatCertificate,
  type NetworkProfile,
  type SigningKey,
} from '@discovery-raft/psp-pki';
import { PRIVATE_FILE, readPrivateFile, writeNewFile } from '../directory/durable-file.js';
import { certificateOfPem, signingKeyOfPem } from './pem.js';
import { newKey, signingPem, type Validity } from './signing-file.js';

/** Who publishes items: a certificate that authorities signed, and its key. */
export interface PublisherKeys {
  readonly identity: string;
  readonly certificate: FlatCertificate;
  readonly key: SigningKey;
}

/** Makes a publisher in a private file. @throws NodeError NODE_EXISTS */
export async function createPublisherFile(
  file: string,
  options: Validity & {
    readonly profile: NetworkProfile;
    readonly authorities: readonly Authority[];
    /** Its sub-namespace, which is the mode that it may publish: `onion`, `discovery`, `auth` or `oracle`. */
    readonly role: string;
  },
): Promise<PublisherKeys> {
  const { profile, authorities, role, notBefore, notAfter } = options;
  const master = newKey();
  const signing = newKey();
  const identity = createIdentity({
    namespace: profile.systemNamespace,
    subNamespace: role,
    type: 'node',
    publicKey: master.key.publicKey,
  });
  const request = { identity, masterKey: master.key, publicKey: signing.key.publicKey, notBefore, notAfter };
  const certificate = issueRegularCertificate(request, authorities);
  await writeNewFile(file, signingPem(certificate, signing.pem), PRIVATE_FILE);
  return { identity: identity.text, certificate, key: signing.key };
}

/** Reads such a file. @throws NodeError NODE_KEYS_UNREADABLE */
export async function readPublisherFile(file: string): Promise<PublisherKeys> {
  const pem = await readPrivateFile(file);
  const certificate = certificateOfPem(pem, file);
  return { identity: certificate.identity.text, certificate, key: signingKeyOfPem(pem, file) };
}

/** What an item says beside who publishes it. */
export interface ItemFields {
  readonly version: string;
  /** 32 bytes, upper-case hex. */
  readonly fingerprint: string;
  readonly handshake: string;
  readonly address: readonly string[];
  /** Unix seconds. */
  readonly expiration: number;
}

/** A signed packet with an item of this publisher, ready to be published. */
export function signPublication(publisher: PublisherKeys, fields: ItemFields): Uint8Array {
  const item = create(DiscoveryItemSchema, {
    version: fields.version,
    identity: publisher.identity,
    fingerprint: fields.fingerprint,
    handshake: fields.handshake,
    mode: publisher.certificate.identity.subNamespace,
    address: [...fields.address],
    expiration: BigInt(fields.expiration),
  });
  const message = toBinary(DiscoveryItemSchema, item);
  return buildSignedMessage({ certificate: publisher.certificate, key: publisher.key, message });
}
