import {
  createMember,
  type Authority,
  type FlatCertificate,
  type NetworkProfile,
  type SigningKey,
} from '@discovery-raft/psp-pki';
import { NodeError } from '../errors.js';
import { PRIVATE_FILE, readPrivateFile, writeNewFile } from '../directory/durable-file.js';
import { certificateOfPem, signingKeyOfPem } from './pem.js';
import { newKey, signingPem, type Validity } from './signing-file.js';

/** Who publishes items: a certificate that authorities signed, and its key. */
export interface PublisherKeys {
  readonly identity: string;
  readonly certificate: FlatCertificate;
  readonly key: SigningKey;
}

/** Makes a publisher in a private file. @throws NodeError NODE_EXISTS, NODE_INVALID_OPTION */
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
  const signing = newKey();
  const { identity, certificate } = createMember({
    ...{ profile, authorities, notBefore, notAfter },
    subNamespace: role,
    signingKey: signing.key,
  });
  try {
    await writeNewFile(file, signingPem(certificate, signing.pem), PRIVATE_FILE);
  } catch (cause) {
    if (cause instanceof NodeError) throw cause;
    const advice = 'Its folder must exist, and be one that you may write to';
    throw new NodeError('NODE_INVALID_OPTION', `${file} cannot be written. ${advice}`, { file }, cause);
  }
  return { identity, certificate, key: signing.key };
}

/** Reads such a file. @throws NodeError NODE_KEYS_UNREADABLE */
export async function readPublisherFile(file: string): Promise<PublisherKeys> {
  const pem = await readPrivateFile(file);
  const certificate = certificateOfPem(pem, file);
  return { identity: certificate.identity.text, certificate, key: signingKeyOfPem(pem, file) };
}
