import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  DiscoverySignatureSchema,
  SignedTrustRootSchema,
  type DiscoverySignature,
  type SignedTrustRoot,
} from '@discovery-raft/protocol';
import {
  decodeTrustRoot,
  decodeTrustRoots,
  encodeTrustRoot,
  encodeTrustRoots,
  tallyRoot,
  type TrustRootChain,
  type TrustRootDocument,
} from '@discovery-raft/psp-envelope';
import { chainFrom, extendChain } from '@discovery-raft/discovery-client';
import { z } from 'zod';
import type { AdminResults, RefusedRoot } from '../../admin/protocol.js';
import { ROOTS_FILE } from '../../daemon/deployment.js';
import { readBounded } from '../../directory/durable-file.js';
import { NodeError } from '../../errors.js';
import { readKeys } from '../../keys/key-folder.js';
import {
  formatSignedRoot,
  formatTrustRoot,
  readRootDocument,
  readSignedRoot,
  trustRootJson,
} from '../../keys/trust-root-file.js';
import { NodeSigner } from '../../pki/node-identity.js';
import { readRootsFile, rootsIn } from '../../roots/file-root-store.js';
import type { ReachableNode } from '../../roots/known-nodes.js';
import { pkiRootCrypto } from '../../roots/pki-root-crypto.js';
import { proposeRoot, slotBegin, type ProposedChange } from '../../roots/propose.js';
import { configOf, print, withNode, type AdminFlags, type CliContext } from '../context.js';
import { EXIT } from '../exit-codes.js';
import { formatTime, shortIdentity } from '../table.js';
import { chainText, claimedSigners, documentOf, rootText, tallyText } from './root-text.js';

const crypto = pkiRootCrypto();

/** Flags of `root propose`. */
export interface ProposeFlags extends AdminFlags, Omit<ProposedChange, 'add' | 'activation' | 'rotate' | 'move'> {
  readonly add: readonly string[];
  readonly rotate: readonly string[];
  readonly move: readonly string[];
  /** Seconds from now. */
  readonly activateIn: number;
  /** Unix seconds. */
  readonly activateAt?: number;
  readonly out: string;
}

/** Makes the next root from what a running node has. */
export async function propose(flags: ProposeFlags, context: CliContext): Promise<void> {
  const known = await withNode(flags, context, (client) => client.call('root.get', {}));
  const chain = await chainOf(known);
  const document = proposeRoot(chain.newest, known.nodes, {
    ...flags,
    add: await Promise.all(flags.add.map((file) => readNode(resolve(file)))),
    rotate: new Map(flags.rotate.map((text) => pairOf(text, 'rotate'))),
    move: new Map(
      flags.move.map((text) => {
        const [identity, place] = pairOf(text, 'move');
        const at = place.lastIndexOf(':');
        return [identity, { host: place.slice(0, at), port: Number(place.slice(at + 1)) }];
      }),
    ),
    activation: slotBegin(known, flags.activateAt ?? known.now + flags.activateIn),
  });
  const signed = create(SignedTrustRootSchema, { root: encodeTrustRoot(document) });
  await writeFile(resolve(flags.out), formatSignedRoot(signed));
  const added = document.nodes.filter(
    ({ identity }) => flags.add.length > 0 && !known.nodes.some((n) => n.identity === identity),
  );
  const joining = added.map(
    ({ identity }) => `  discovery-node root sign ${flags.out} --joining      at ${shortIdentity(identity)}\n`,
  );
  const next = `
Wrote ${flags.out}. Next, before ${formatTime(document.activation)}:
  discovery-node root sign ${flags.out}      at a quorum of the nodes
${joining.join('')}  discovery-node root publish ${flags.out}   at any node
`;
  print(context, flags, { file: resolve(flags.out), trustRoot: trustRootJson(document) }, rootText(document) + next);
}

/** Flags of `root sign`. */
export interface SignFlags extends AdminFlags {
  readonly joining?: true;
}

/** Adds this node's signature to a root. @returns the exit code */
export async function sign(file: string, flags: SignFlags, context: CliContext): Promise<number> {
  const path = resolve(file);
  const proposed = await readSignedRoot(path);
  const { version, activation } = documentOf(proposed);
  let signature: DiscoverySignature;
  if (flags.joining === true) signature = await signJoining(proposed, flags, context);
  else {
    const root = Buffer.from(proposed.root).toString('base64');
    const answer = await withNode(flags, context, (client) => client.call('root.sign', { root }));
    if (!answer.ok) return refuse(answer, flags, context);
    signature = fromBinary(DiscoverySignatureSchema, Buffer.from(answer.signature, 'base64'));
  }
  const merged = merge([proposed, create(SignedTrustRootSchema, { root: proposed.root, signatures: [signature] })]);
  await writeFile(path, formatSignedRoot(merged));
  const signers = claimedSigners(merged);
  const text = `Signed trust root ${version}; ${signers.length} ${signers.length === 1 ? 'signature' : 'signatures'} in ${file}.\n`;
  print(context, flags, { version, activation, file: path, signers }, text);
  return EXIT.ok;
}

/** A node that no root names yet signs with its keys alone: it has promised nothing that could stand against it. */
async function signJoining(
  proposed: SignedTrustRoot,
  flags: SignFlags,
  context: CliContext,
): Promise<DiscoverySignature> {
  const { config, path } = await configOf(flags, context);
  const { identity } = await readKeys(path(config.keys.directory));
  const first = await readRootDocument(path(config.trustRoot));
  const stored = await storedRoots(join(path(config.data.directory), ROOTS_FILE));
  if ([first, ...stored].some((root) => names(root, identity.identity))) {
    throw new NodeError(
      'NODE_INVALID_OPTION',
      'this node is named by a trust root already: have it run, and sign without --joining',
      {},
    );
  }
  if (!names(documentOf(proposed), identity.identity)) {
    throw new NodeError('NODE_INVALID_OPTION', `the trust root does not name this node, ${identity.identity}`, {});
  }
  return new NodeSigner(identity).sign(proposed.root);
}

/** Gives a signed root to a running node, which tells the others. @returns the exit code */
export async function publish(files: readonly string[], flags: AdminFlags, context: CliContext): Promise<number> {
  const merged = merge(await Promise.all(files.map((file) => readSignedRoot(resolve(file)))));
  const signed = Buffer.from(toBinary(SignedTrustRootSchema, merged)).toString('base64');
  const answer = await withNode(flags, context, (client) => client.call('root.publish', { signed }));
  if (!answer.ok) return refuse(answer, flags, context);
  const { version, activation, isNew } = answer;
  const text = isNew
    ? `Trust root ${version} was published; it is in force from ${formatTime(activation)}.\n`
    : `Trust root ${version} was published before.\n`;
  print(context, flags, answer, text);
  return EXIT.ok;
}

/** Shows what a running node has, or a proposal. */
export async function show(file: string | undefined, flags: AdminFlags, context: CliContext): Promise<void> {
  const known = await withNode(flags, context, (client) => client.call('root.get', {}));
  const chain = await chainOf(known);
  if (file === undefined) {
    const { signed, now } = known;
    const roots = chain.roots.map(({ document }) => trustRootJson(document));
    const promised = signed === null ? '' : `\nThis node has signed version ${signed.version}.\n`;
    const text = `${chainText(chain, now)}\n${rootText(chain.newest.document)}${promised}`;
    return print(context, flags, { roots, signed, nodes: known.nodes }, text);
  }
  const proposed = await readSignedRoot(resolve(file));
  const document = documentOf(proposed);
  const before = chain.version(document.version - 1);
  const tally = before === undefined ? undefined : await tallyRoot(before.document, document, proposed, crypto);
  const counted = tally === undefined || 'ok' in tally ? undefined : tally;
  const { old, quorum, added, missing } = counted ?? { old: [], quorum: null, added: [], missing: [] };
  const shown = {
    trustRoot: trustRootJson(document),
    claimed: claimedSigners(proposed),
    signers: old,
    quorum,
    added,
    missing,
  };
  const why = tally !== undefined && 'ok' in tally ? `\nIt cannot be used: ${tally.detail}.\n` : '';
  print(context, flags, shown, rootText(document) + (counted === undefined ? why : `\n${tallyText(counted)}`));
}

/** Flags of `root verify`. */
export interface VerifyRootsFlags {
  readonly trustRoot: string;
  readonly json?: true;
}

/** Verifies a file of signed roots against a first one, offline. @returns the exit code */
export async function verify(file: string, flags: VerifyRootsFlags, context: CliContext): Promise<number> {
  const first = await readRootDocument(resolve(flags.trustRoot));
  const { chain, refused } = await extendChain(chainFrom(first), await rootsIn(file));
  const newest = chain.newest.document;
  if (refused !== null) {
    const text = `Not to be believed behind version ${newest.version}: ${refused.code}, ${refused.detail}.\n`;
    print(context, flags, { ...refused, newest: newest.version }, text);
    return EXIT.lostOrWrong;
  }
  print(
    context,
    flags,
    { ok: true, newest: trustRootJson(newest) },
    `${chainText(chain, Date.now() / 1000)}\n${rootText(newest)}`,
  );
  return EXIT.ok;
}

/** Flags of `root export`. */
export interface ExportFlags extends AdminFlags {
  readonly out: string;
  readonly newest?: true;
}

/** Writes the signed roots of a running node, or its newest root as one to build clients with. */
export async function exportRoots(flags: ExportFlags, context: CliContext): Promise<void> {
  const chain = await chainOf(await withNode(flags, context, (client) => client.call('root.get', {})));
  const { version } = chain.newest.document;
  const signed = chain.after(chain.first.document.version, Infinity);
  await writeFile(
    resolve(flags.out),
    flags.newest === true ? formatTrustRoot(chain.newest.document) : encodeTrustRoots(signed),
  );
  print(context, flags, { file: resolve(flags.out), version }, `Wrote ${flags.out}, up to version ${version}.\n`);
}

/** What the node says is verified here again. */
async function chainOf({ first, roots }: AdminResults['root.get']): Promise<TrustRootChain> {
  const begin = chainFrom(decodeTrustRoot(Buffer.from(first, 'base64')));
  const { chain, refused } = await extendChain(begin, decodeTrustRoots(Buffer.from(roots, 'base64')));
  if (refused !== null)
    throw new NodeError('NODE_ROOT_REFUSED', `the node's roots are bad: ${refused.code}`, { ...refused });
  return chain;
}

function merge(parts: readonly SignedTrustRoot[]): SignedTrustRoot {
  const { root } = parts[0]!;
  if (parts.some((part) => !Buffer.from(part.root).equals(root))) {
    throw new NodeError('NODE_INVALID_OPTION', 'the files hold different trust roots', {});
  }
  const all = parts.flatMap(({ signatures }) => signatures);
  // The same signer signs the same bytes alike as long as its certificate is the same.
  const distinct = new Map(all.map((one) => [Buffer.from(one.certificate).toString('base64'), one]));
  return create(SignedTrustRootSchema, { root, signatures: [...distinct.values()] });
}

const nodeSchema = z
  .object({
    identity: z.string(),
    fingerprint: z.string(),
    host: z.string().optional(),
    port: z.int().optional(),
    address: z.object({ host: z.string(), port: z.int() }).nullish(),
  })
  .transform(({ identity, fingerprint, host, port, address }) => ({
    ...{ identity, fingerprint },
    host: host ?? address?.host ?? '',
    port: port ?? address?.port ?? 0,
  }));

/** Most bytes of what `keys show --json` prints. */
const MAX_NODE_BYTES = 1 << 20;

/** A node as `keys show --json` or `init --json` of it printed it. */
async function readNode(file: string): Promise<ReachableNode> {
  try {
    return nodeSchema.parse(JSON.parse((await readBounded(file, MAX_NODE_BYTES)).toString('utf8')));
  } catch (cause) {
    const advice = 'it holds no node: `discovery-node keys show --json` of the new node prints one';
    throw new NodeError('NODE_INVALID_OPTION', `--add: ${file} cannot be used: ${advice}`, { option: 'add' }, cause);
  }
}

function pairOf(text: string, option: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new NodeError('NODE_INVALID_OPTION', `--${option}: ${text} has no =`, { option });
}

async function storedRoots(file: string): Promise<readonly TrustRootDocument[]> {
  return readRootsFile(file).then(
    (roots) => roots.map(documentOf),
    () => [],
  );
}

function names({ nodes }: TrustRootDocument, identity: string): boolean {
  return nodes.some((node) => node.identity === identity);
}

function refuse(answer: RefusedRoot, flags: AdminFlags, context: CliContext): number {
  print(context, flags, answer, `Refused: ${answer.code}, ${answer.detail}.\n`);
  return EXIT.lostOrWrong;
}
