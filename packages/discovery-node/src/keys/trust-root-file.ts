import { readFile } from 'node:fs/promises';
import { createTrustRoot, networkProfile, type TrustRoot } from '@discovery-raft/psp-pki';
import { z } from 'zod';
import { NodeError } from '../errors.js';

const MAX_BYTES = 1 << 20;

const schema = z.strictObject({
  profile: z.enum(['xpx', 'psp']).default('xpx'),
  threshold: z.int().min(1).default(3),
  authorities: z.array(z.string().max(255)).max(1000),
  discoveryNodes: z.array(z.string().max(255)).min(1).max(31),
});

/** A trust root as the text of its file: JSON, public. */
export function formatTrustRoot(root: TrustRoot): string {
  const { profile, threshold, authorities, discoveryNodes } = root;
  const content = {
    profile: profile.name,
    threshold,
    authorities: [...authorities],
    discoveryNodes: [...discoveryNodes],
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Reads a trust root. @throws NodeError NODE_KEYS_UNREADABLE, which says what is wrong with the file */
export async function readTrustRoot(file: string): Promise<TrustRoot> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
    const parsed = schema.safeParse(JSON.parse(bytes.toString('utf8')));
    if (!parsed.success) throw new Error(z.prettifyError(parsed.error).replaceAll('\n', ' '));
    const { profile, ...rest } = parsed.data;
    return createTrustRoot({ profile: networkProfile(profile), ...rest });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NodeError('NODE_KEYS_UNREADABLE', `the trust root ${file} cannot be used: ${why}`, { file }, cause);
  }
}
