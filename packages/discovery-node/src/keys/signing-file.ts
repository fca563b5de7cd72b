import { randomBytes } from 'node:crypto';
import { SigningKey, type FlatCertificate, type NetworkProfile } from '@discovery-raft/psp-pki';
import { NodeError } from '../errors.js';
import { createNodeIdentity, type NodeIdentity, type NodeIdentityOptions } from '../pki/node-identity.js';
import { readPrivateFile } from '../directory/durable-file.js';
import { certificateOfPem, certificateToPem, seedToPem, signingKeyOfPem } from './pem.js';

/** Dates of certificates, Unix seconds, both ends included. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A new Ed25519 key together with the text of its private file. */
export interface NewKey {
  readonly key: SigningKey;
  /** Key material. */
  readonly pem: string;
}

/** A key from the system's random source. */
export function newKey(): NewKey {
  const seed = randomBytes(32);
  const result = { key: SigningKey.fromSeed(seed), pem: seedToPem(seed) };
  seed.fill(0);
  return result;
}

/** A new certificate of a master key, with a new key that signs day by day, and the text of their private file. */
export function issueSigning(
  masterKey: SigningKey,
  options: Validity & { readonly role: NodeIdentityOptions['role']; readonly profile: NetworkProfile },
): { readonly identity: NodeIdentity; readonly pem: string } {
  const signing = newKey();
  const identity = createNodeIdentity({ ...options, masterKey, signingKey: signing.key });
  return { identity, pem: signingPem(identity.certificate, signing.pem) };
}

/** A certificate and its key in one text: they are replaced together or not at all. */
export function signingPem(certificate: FlatCertificate, keyPem: string): string {
  return certificateToPem(certificate) + keyPem;
}

/** Reads such a file. @throws NodeError NODE_KEYS_UNREADABLE, also when key and certificate do not belong together */
export async function readSigningFile(file: string): Promise<NodeIdentity> {
  const pem = await readPrivateFile(file);
  const certificate = certificateOfPem(pem, file);
  const key = signingKeyOfPem(pem, file);
  if (!Buffer.from(key.publicKey).equals(certificate.publicKey)) {
    throw new NodeError('NODE_KEYS_UNREADABLE', `${file}: the key is not that of the certificate`, { file });
  }
  return { identity: certificate.identity.text, certificate, key };
}
