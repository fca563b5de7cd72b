import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Authority, NetworkProfile } from '@discovery-raft/psp-pki';
import { makePrivateFolder, PRIVATE_FILE, writeNewFile } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';
import { issueSigning, newKey, readSigningFile, type Validity } from './signing-file.js';

/** An authority of a network of one's own: who can read its file can vouch for anybody. */
export interface NamedAuthority extends Authority {
  readonly identity: string;
}

/** Makes authorities, one private file each. @throws NodeError NODE_EXISTS */
export async function createAuthorities(
  folder: string,
  count: number,
  options: Validity & { readonly profile: NetworkProfile },
): Promise<readonly NamedAuthority[]> {
  await makePrivateFolder(folder);
  const made: NamedAuthority[] = [];
  for (let i = 1; i <= count; i++) {
    const { identity, pem } = issueSigning(newKey().key, { ...options, role: 'auth' });
    await writeNewFile(join(folder, `authority-${i}.pem`), pem, PRIVATE_FILE);
    made.push(identity);
  }
  return made;
}

/** Reads the authorities of a folder. @throws NodeError NODE_KEYS_UNREADABLE */
export async function readAuthorities(folder: string): Promise<readonly NamedAuthority[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new NodeError('NODE_KEYS_UNREADABLE', `there is no folder of authorities ${folder}`, { file: folder }, cause);
  }
  const files = names.filter((name) => name.endsWith('.pem')).sort();
  if (files.length === 0) throw new NodeError('NODE_KEYS_UNREADABLE', `${folder} holds no authority`, { file: folder });
  return Promise.all(files.map((name) => readSigningFile(join(folder, name))));
}
