import { join } from 'node:path';
import type { TrustRootDocument } from '@discovery-raft/psp-envelope';
import {
  createTrustRoot,
  trustRootOf,
  XPX_PROFILE,
  type NetworkProfile,
  type TrustRoot,
} from '@discovery-raft/psp-pki';
import { stringify } from 'yaml';
import { markForBootstrap } from '../daemon/bootstrap-mark.js';
import { makePrivateFolder, PUBLIC_FILE, refuseExisting, writeNewFile } from '../directory/durable-file.js';
import { createAuthorities, type NamedAuthority } from './authority-folder.js';
import { freePorts } from './free-ports.js';
import { createKeys, type NodeKeys } from './key-folder.js';
import type { Validity } from './signing-file.js';
import { formatTrustRoot } from './trust-root-file.js';

/** Names of the files that `init` makes in a node's folder. */
export const NODE_FILES = { config: 'node.yaml', trustRoot: 'trust-root.json', keys: 'keys', data: 'data' } as const;

/** Options of {@link initNetwork}. */
export interface InitNetworkOptions extends Validity {
  /** Folder of the network; must not exist, or be empty of what is to be made. */
  readonly folder: string;
  /** 1 to 31. */
  readonly nodes: number;
  /** Where all of them listen. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 900. */
  readonly slotSeconds?: number;
  readonly profile?: NetworkProfile;
  readonly rsaBits?: number;
  /** Authorities that are made, from 1. Default 3. */
  readonly authorities?: number;
  /** Further settings of every node's file, by section. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** One node of a network that was made. */
export interface MadeNode {
  readonly name: string;
  readonly folder: string;
  readonly configFile: string;
  readonly socket: string;
  readonly identity: string;
  readonly fingerprint: string;
  readonly host: string;
  readonly port: number;
  readonly httpPort: number;
}

/** A network that was made. */
export interface MadeNetwork {
  readonly folder: string;
  readonly root: TrustRoot;
  readonly trustRootFile: string;
  /** With their keys: they vouch for publishers. */
  readonly authorities: readonly NamedAuthority[];
  readonly authorityFolder: string;
  readonly nodes: readonly MadeNode[];
}

/**
 * Makes a whole network on this machine: authorities, trust root, and for each node a folder with keys and configuration.
 * Ports are those that are free at this moment.
 *
 * @throws NodeError NODE_EXISTS when anything of it is there already
 */
export async function initNetwork(options: InitNetworkOptions): Promise<MadeNetwork> {
  const { folder, nodes: count, host = '127.0.0.1', profile = XPX_PROFILE } = options;
  const names = Array.from({ length: count }, (_, i) => `node-${i + 1}`);
  const authorityFolder = join(folder, 'authorities');
  const trustRootFile = join(folder, NODE_FILES.trustRoot);
  for (const path of [authorityFolder, trustRootFile, ...names.map((name) => join(folder, name))]) {
    await refuseExisting(path);
  }
  await makePrivateFolder(folder);
  const authorities = await createAuthorities(authorityFolder, options.authorities ?? 3, { ...options, profile });
  const keys = await Promise.all(
    names.map((name) => createKeys(join(folder, name, NODE_FILES.keys), { ...options, profile })),
  );
  const root = createTrustRoot({
    profile,
    authorities: authorities.map(({ identity }) => identity),
    discoveryNodes: keys.map(({ identity }) => identity.identity),
    threshold: Math.min(3, authorities.length),
  });
  await writeNewFile(trustRootFile, formatTrustRoot(root), PUBLIC_FILE);
  const ports = await freePorts(count * 2, host);
  const nodes = names.map((name, i) =>
    madeNode(join(folder, name), name, keys[i]!, host, ports[i]!, ports[count + i]!),
  );
  for (const node of nodes) {
    await writeNewFile(join(node.folder, NODE_FILES.trustRoot), formatTrustRoot(root), PUBLIC_FILE);
    const settings = withSections(OF_A_NEW_NETWORK, options.settings ?? {});
    await writeNewFile(node.configFile, configText(node, nodes, { ...options, settings }), PUBLIC_FILE);
    await markForBootstrap(join(node.folder, NODE_FILES.data));
  }
  return { folder, root, trustRootFile, authorities, authorityFolder, nodes };
}

function madeNode(
  folder: string,
  name: string,
  { identity, fingerprint }: NodeKeys,
  host: string,
  port: number,
  httpPort: number,
): MadeNode {
  const configFile = join(folder, NODE_FILES.config);
  const socket = join(folder, 'admin.sock');
  return { name, folder, configFile, socket, identity: identity.identity, fingerprint, host, port, httpPort };
}

function configText(
  node: MadeNode,
  nodes: readonly MadeNode[],
  { slotSeconds = 900, settings = {} }: Pick<InitNetworkOptions, 'slotSeconds' | 'settings'>,
): string {
  const own = {
    name: node.name,
    listen: { host: node.host, port: node.port },
    http: { host: node.host, port: node.httpPort },
    consensus: { slotSeconds },
  };
  const members = nodes.map(({ identity, fingerprint, host, port }) => ({ identity, fingerprint, host, port }));
  return CONFIG_HEADER + stringify({ ...withSections(own, settings), members }, { lineWidth: 120 });
}

/** Sections of `over` go into those of `own`, name by name. */
function withSections(
  own: Readonly<Record<string, unknown>>,
  over: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const merged: Record<string, unknown> = { ...own };
  for (const [name, section] of Object.entries(over)) {
    const before = merged[name];
    merged[name] = isRecord(before) && isRecord(section) ? { ...before, ...section } : section;
  }
  return merged;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** No node of it is of a time without signatures, so that none has to be taken at its word. */
const OF_A_NEW_NETWORK = { raft: { signatures: 'require' } } as const;

const CONFIG_HEADER = `# Configuration of a discovery node. Paths are relative to this file.
# Check it with \`discovery-node config check FILE\`; \`discovery-node config show --settings\` lists every setting.
# members and consensus must be the same on every node.
`;

/** Options of {@link initNode}. */
export interface InitNodeOptions extends Validity {
  readonly folder: string;
  readonly name?: string;
  /** Where its peers reach it. */
  readonly host: string;
  readonly port: number;
  readonly profile?: NetworkProfile;
  readonly rsaBits?: number;
  /** It joins a cluster that exists, so it must never found one. Default false. */
  readonly join?: boolean;
  /** The network that it joins: its first trust root, and nodes that have the later ones. Implies `join`. */
  readonly network?: {
    readonly root: TrustRootDocument;
    readonly peers: readonly { readonly host: string; readonly port: number }[];
  };
  /** Default 900. */
  readonly slotSeconds?: number;
  /** Further settings of its file, by section. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/**
 * Makes one node: keys, and a configuration and trust root that name only itself, to which the operator adds the others; or
 * those of a network that it joins as soon as a trust root names it.
 *
 * @throws NodeError NODE_EXISTS
 */
export async function initNode(options: InitNodeOptions): Promise<MadeNode> {
  const { folder, host, port, network } = options;
  const profile = network === undefined ? (options.profile ?? XPX_PROFILE) : trustRootOf(network.root).profile;
  for (const name of Object.values(NODE_FILES)) await refuseExisting(join(folder, name));
  await makePrivateFolder(folder);
  const keys = await createKeys(join(folder, NODE_FILES.keys), { ...options, profile });
  const root = network?.root ?? createTrustRoot({ profile, discoveryNodes: [keys.identity.identity] });
  const node = madeNode(folder, options.name ?? 'node', keys, host, port, 9180);
  await writeNewFile(join(folder, NODE_FILES.trustRoot), formatTrustRoot(root), PUBLIC_FILE);
  const joins = options.join === true || network !== undefined;
  const own = {
    listen: { host: '0.0.0.0', port },
    http: { host: '127.0.0.1', port: 9180 },
    ...(joins ? {} : OF_A_NEW_NETWORK),
    ...(network === undefined ? {} : { advertise: { host, port }, join: { peers: network.peers } }),
  };
  const settings = withSections(own, options.settings ?? {});
  const members = network === undefined ? [node] : [];
  await writeNewFile(node.configFile, configText(node, members, { ...options, settings }), PUBLIC_FILE);
  if (!joins) await markForBootstrap(join(folder, NODE_FILES.data));
  return node;
}
