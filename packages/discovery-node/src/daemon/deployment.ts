import { join } from 'node:path';
import { decodeTrustRoot, type TrustRootDocument } from '@discovery-raft/psp-envelope';
import { trustRootOf, type TrustRoot } from '@discovery-raft/psp-pki';
import { credentialsExpireAt } from '@discovery-raft/psp-link';
import type { LoadedConfig } from '../config/load.js';
import { formatProblems, type ConfigProblem } from '../config/problem.js';
import { NodeError } from '../errors.js';
import { readKeys, type NodeKeys } from '../keys/key-folder.js';
import { readRootDocument } from '../keys/trust-root-file.js';
import { readRootsFile } from '../roots/file-root-store.js';

/** Bytes of a path that every system takes for a Unix socket, with its end. */
const MAX_SOCKET_PATH_BYTES = 103;
const WARN_BEFORE_SECONDS = 7 * 86_400;

/** A configuration together with the files that it names. */
export interface Deployment {
  readonly loaded: LoadedConfig;
  readonly keys: NodeKeys;
  readonly root: TrustRoot;
  /** `root` as the version that it is. */
  readonly first: TrustRootDocument;
}

/** Name of the file in the data directory that holds the later versions of the trust root. */
export const ROOTS_FILE = 'trust-roots.bin';

/** Reads the keys and the trust root of a configuration, and judges all three together. @throws NodeError */
export async function readDeployment(loaded: LoadedConfig): Promise<Deployment> {
  const { problems, deployment } = await judgeDeployment(loaded);
  if (deployment !== undefined && problems.length === 0) return deployment;
  const keyProblem = problems.find(({ path }) => path[0] === 'keys' || path[0] === 'trustRoot');
  const code = deployment === undefined && keyProblem !== undefined ? 'NODE_KEYS_UNREADABLE' : 'NODE_CONFIG_INVALID';
  throw new NodeError(code, `this node cannot start so\n${formatProblems(problems)}`, { problems });
}

/** What is wrong with a configuration together with the files that it names; all of it in one go. */
export async function judgeDeployment(
  loaded: LoadedConfig,
): Promise<{ readonly problems: readonly ConfigProblem[]; readonly deployment: Deployment | undefined }> {
  const { config, file } = loaded;
  const problems: ConfigProblem[] = [];
  const add = (path: ConfigProblem['path'], message: string, advice: string): void => {
    problems.push({ path, message, advice, source: file });
  };
  const keys = await readOr(
    () => readKeys(loaded.path(config.keys.directory)),
    (why) =>
      add(
        ['keys', 'directory'],
        `cannot be used: ${why}`,
        'Make keys with `discovery-node init`, or correct the path.',
      ),
  );
  const first = await readOr(
    () => readRootDocument(loaded.path(config.trustRoot)),
    (why) => add(['trustRoot'], `cannot be used: ${why}`, 'Copy the trust root of the network to this path.'),
  );
  if (Buffer.byteLength(loaded.path(config.admin.socket)) > MAX_SOCKET_PATH_BYTES) {
    add(['admin', 'socket'], `is longer than ${MAX_SOCKET_PATH_BYTES} bytes as a whole`, 'Choose a shorter path.');
  }
  if (keys === undefined || first === undefined) return { problems, deployment: undefined };
  const deployment = { loaded, keys, first, root: trustRootOf(first) };
  judgeTogether(deployment, await fingerprintsOf(deployment), add);
  return { problems, deployment };
}

function judgeTogether(
  { loaded: { config }, keys, root, first }: Deployment,
  fingerprints: ReadonlySet<string>,
  add: (path: ConfigProblem['path'], message: string, advice: string) => void,
): void {
  const self = config.members.findIndex(({ identity }) => identity === keys.identity.identity);
  const isNamed = fingerprints.size > 0 || config.join !== undefined;
  if (self < 0 && !isNamed) {
    add(
      ['members'],
      `does not name this node, ${keys.identity.identity}`,
      'Add it, or use the keys of a node that it names.',
    );
  } else if (self >= 0 && !fingerprints.has(keys.fingerprint)) {
    const advice = `Write ${keys.fingerprint}, on every node.`;
    add(['members', self, 'fingerprint'], "is not that of this node's keys", advice);
  }
  // Later roots say themselves where their nodes are.
  if (first.version > 1) return;
  for (const { identity } of config.join === undefined ? first.nodes : []) {
    if (config.members.some((member) => member.identity === identity)) continue;
    add(['members'], `lacks ${identity}, which the trust root names`, 'Add it: a directory needs a quorum of those.');
  }
  for (const [i, { identity }] of config.members.entries()) {
    if (root.discoveryNodes.has(identity)) continue;
    add(
      ['members', i, 'identity'],
      'is no discovery node of the trust root',
      'Add it to discoveryNodes of the trust root.',
    );
  }
}

/**
 * The fingerprints that this node may have: what the configuration says, and the trust roots that are there. Those in the
 * data directory are verified when the node starts.
 */
async function fingerprintsOf({ loaded, keys, first }: Deployment): Promise<ReadonlySet<string>> {
  const self = keys.identity.identity;
  const file = join(loaded.path(loaded.config.data.directory), ROOTS_FILE);
  const stored = await readRootsFile(file)
    .then((roots) => roots.map(({ root }) => decodeTrustRoot(root)))
    .catch(() => []);
  const named = [first, ...stored].flatMap(({ nodes }) => nodes.filter(({ identity }) => identity === self));
  const configured = loaded.config.members.find(({ identity }) => identity === self);
  const all = [configured?.fingerprint, ...named.map(({ endpoint }) => endpoint?.fingerprint)];
  return new Set(all.filter((fingerprint) => fingerprint !== undefined));
}

/** What will stop working soon, in words; empty when nothing will. */
export function expiryWarnings({ keys }: Deployment, nowSeconds: number): readonly string[] {
  const ends = [
    ['the signing certificate', keys.identity.certificate.notAfter],
    ['a link certificate', credentialsExpireAt(keys.link)],
  ] as const;
  return ends.flatMap(([what, at]) => {
    if (at - nowSeconds > WARN_BEFORE_SECONDS) return [];
    const when = new Date(at * 1000).toISOString();
    return [`${what} ${at < nowSeconds ? 'expired' : 'expires'} at ${when}: run \`keys rotate\``];
  });
}

async function readOr<T>(read: () => Promise<T>, failed: (why: string) => void): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    failed(error instanceof Error ? error.message.replace(/ \[[A-Z_]+\]$/, '') : String(error));
    return undefined;
  }
}
