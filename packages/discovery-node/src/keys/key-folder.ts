import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { parseIdentity, networkProfile, type NetworkProfile, XPX_PROFILE } from '@discovery-raft/psp-pki';
import {
  exportLinkCredentials,
  fingerprintOfCredentials,
  generateLinkCredentials,
  importLinkCredentials,
  type LinkCredentials,
} from '@discovery-raft/psp-link';
import {
  makePrivateFolder,
  PRIVATE_FILE,
  readPrivateFile,
  replaceFile,
  syncFolder,
  writeNewFile,
} from '../directory/durable-file.js';
import { NodeError } from '../errors.js';
import type { NodeIdentity } from '../pki/node-identity.js';
import { signingKeyOfPem } from './pem.js';
import { issueSigning, newKey, readSigningFile, type Validity } from './signing-file.js';

/** Files of a node's key folder. All are private. */
export const KEY_FILES = {
  /** The Ed25519 key that the identity is. Only needed to make keys, and to rotate: it may be kept elsewhere. */
  master: 'master.pem',
  /** The certificate that signs day by day, and its key. */
  signing: 'signing.pem',
  /** The RSA identity of the links with the link and authenticate certificates, and their keys. */
  link: 'link.pem',
  /** A new RSA identity that waits for the trust root which names it. */
  nextLink: 'next-link.pem',
} as const;

/** What a running node has of its keys. */
export interface NodeKeys {
  readonly identity: NodeIdentity;
  readonly link: LinkCredentials;
  /** Of the RSA identity, 64 hex digits. */
  readonly fingerprint: string;
}

/** How keys are made. */
export interface KeyOptions extends Validity {
  readonly profile?: NetworkProfile;
  /** Bits of the RSA keys. Default 3072. */
  readonly rsaBits?: number;
}

/** Makes the keys of a new node in a new folder. @throws NodeError NODE_EXISTS */
export async function createKeys(folder: string, options: KeyOptions): Promise<NodeKeys> {
  const { profile = XPX_PROFILE } = options;
  await makePrivateFolder(folder);
  const master = newKey();
  const { identity, pem } = issueSigning(master.key, { ...options, role: 'discovery', profile });
  const link = await generateLinkCredentials(linkOptions(options));
  await writeNewFile(join(folder, KEY_FILES.master), master.pem, PRIVATE_FILE);
  await writeNewFile(join(folder, KEY_FILES.signing), pem, PRIVATE_FILE);
  await writeNewFile(join(folder, KEY_FILES.link), exportLinkCredentials(link), PRIVATE_FILE);
  return { identity, link, fingerprint: fingerprintOfCredentials(link) };
}

/** Reads what a running node needs. @throws NodeError NODE_KEYS_UNREADABLE */
export async function readKeys(folder: string): Promise<NodeKeys> {
  const identity = await readSigningFile(join(folder, KEY_FILES.signing));
  const link = await readLink(join(folder, KEY_FILES.link));
  return { identity, link, fingerprint: fingerprintOfCredentials(link) };
}

/**
 * Makes a new signing key and certificate, and new link and authenticate certificates with new keys. The identity and its
 * fingerprint stay, so no other node has to know. Each file is replaced in one step; a running node takes them when
 * it is told to, or at its next start.
 *
 * @throws NodeError NODE_KEYS_UNREADABLE
 */
export async function rotateKeys(folder: string, options: KeyOptions): Promise<NodeKeys> {
  const before = await readKeys(folder);
  const file = join(folder, KEY_FILES.master);
  const masterKey = signingKeyOfPem(await readPrivateFile(file), file);
  const profile = profileOf(before.identity.identity);
  const { identity, pem } = issueSigning(masterKey, { ...options, role: 'discovery', profile });
  if (identity.identity !== before.identity.identity) {
    throw new NodeError('NODE_KEYS_UNREADABLE', `${file} is the key of another identity`, { file });
  }
  const { identityKey } = before.link;
  const link = await generateLinkCredentials({ ...linkOptions(options), identityKey });
  await replaceFile(join(folder, KEY_FILES.signing), pem, PRIVATE_FILE);
  await replaceFile(join(folder, KEY_FILES.link), exportLinkCredentials(link), PRIVATE_FILE);
  return { identity, link, fingerprint: fingerprintOfCredentials(link) };
}

/**
 * Makes a new RSA identity beside the present one, for a trust root to name. @returns its fingerprint
 *
 * @throws NodeError NODE_EXISTS when one waits already
 */
export async function prepareNextLink(folder: string, options: KeyOptions): Promise<string> {
  const link = await generateLinkCredentials(linkOptions(options));
  await writeNewFile(join(folder, KEY_FILES.nextLink), exportLinkCredentials(link), PRIVATE_FILE);
  return fingerprintOfCredentials(link);
}

/** The RSA identity that waits. @throws NodeError NODE_KEYS_UNREADABLE */
export function readNextLink(folder: string): Promise<LinkCredentials> {
  return readLink(join(folder, KEY_FILES.nextLink));
}

/** The RSA identity that waited takes the place of the present one, in one step. */
export async function adoptNextLink(folder: string): Promise<void> {
  await rename(join(folder, KEY_FILES.nextLink), join(folder, KEY_FILES.link));
  await syncFolder(folder);
}

function linkOptions({ notBefore, notAfter, rsaBits }: KeyOptions): {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly keyBits?: number;
} {
  return { notBefore, notAfter, ...(rsaBits === undefined ? {} : { keyBits: rsaBits }) };
}

async function readLink(file: string): Promise<LinkCredentials> {
  const pem = await readPrivateFile(file);
  try {
    return importLinkCredentials(pem);
  } catch {
    // The cause is left out: what a parser says may quote what it read.
    throw new NodeError('NODE_KEYS_UNREADABLE', `${file} holds no link credentials`, { file });
  }
}

function profileOf(identity: string): NetworkProfile {
  return networkProfile(parseIdentity(identity).namespace === XPX_PROFILE.systemNamespace ? 'xpx' : 'psp');
}
