import { randomBytes } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import {
  chainFrom,
  ClientError,
  DiscoveryClient,
  extendChain,
  fetchDirectory,
  fetchTrustRoots,
  signItem,
  verifyDirectory,
  type FullList,
  type NodeAddress,
  type RefusedDirectory,
  type SourceAnswer,
  type VerifiedDirectory,
} from '@discovery-raft/discovery-client';
import { DiscoveryDirectorySchema, type SignedTrustRoot } from '@discovery-raft/protocol';
import { DEFAULT_LIMITS, isItemAddress, type TrustRootChain } from '@discovery-raft/psp-envelope';
import { trustRootOf as trustRootOfDocument, type NetworkProfile } from '@discovery-raft/psp-pki';
import { PUBLIC_FILE, readBounded, replaceFile } from '../directory/durable-file.js';
import { NodeError } from '../errors.js';
import { readPublisherFile } from '../keys/publisher-file.js';
import { readRootDocument } from '../keys/trust-root-file.js';
import { rootsIn } from '../roots/file-root-store.js';
import { configOf, print, type CliContext, type ConfigFlags } from './context.js';
import { EXIT } from './exit-codes.js';
import { errorText, plainLine } from './plain-text.js';
import { formatFacts, formatTime, shortIdentity } from './table.js';

/** What a directory may hold; deployed clients stop at 2 MiB, this one does not. */
const LIMITS = { ...DEFAULT_LIMITS, maxMessageBytes: 64 * 1024 * 1024, maxBodyFields: 200_000 };

/** A signed message has at most so many; the nodes take far less. */
const MAX_PACKET_FILE_BYTES = 10 * 1024 * 1024;

/** Flags of commands that believe a trust root. */
export interface TrustFlags extends ConfigFlags {
  readonly trustRoot?: string;
  /** Signed trust roots behind that one. */
  readonly roots?: string;
  readonly json?: true;
}

/** Flags of commands that speak to the network's nodes. */
export interface NetworkFlags extends TrustFlags {
  readonly node: readonly NodeAddress[];
  readonly timeout: number;
}

/** Flags of `verify`. */
export interface VerifyFlags extends TrustFlags {
  readonly at?: number;
}

/** Flags of `pull`. */
export interface PullFlags extends NetworkFlags {
  readonly from?: string;
  readonly out?: string;
  readonly cache?: string;
  readonly at?: number;
}

/** Flags of `publish`. */
export interface PublishFlags extends NetworkFlags {
  readonly keys?: string;
  readonly address: readonly string[];
  readonly fingerprint?: string;
  readonly handshake?: string;
  readonly lifetime: number;
}

/** What this file does, for whoever loads it when it is needed. */
export interface ClientActions {
  readonly publish: typeof publish;
  readonly pull: typeof pull;
  readonly verify: typeof verify;
}

/** Publishes a packet. @returns the exit code */
export async function publish(file: string | undefined, flags: PublishFlags, context: CliContext): Promise<number> {
  if (file !== undefined && (flags.keys !== undefined || flags.address.length > 0)) {
    const message = 'give a packet, or --keys and --address, not both: a packet is signed already';
    throw new NodeError('NODE_INVALID_OPTION', message, { option: 'keys' });
  }
  const root = await readRootDocument(await trustRootOf(flags, context));
  const { profile } = trustRootOfDocument(root);
  const packet = file === undefined ? await signedPacket(flags, profile) : await bytesOf(file);
  const client = new DiscoveryClient({ root, nodes: await nodesOf(flags, context), limits: LIMITS });
  try {
    const result = await client.publish(packet, flags.timeout * 1000);
    const { status } = result;
    const text =
      status === 'accepted'
        ? `Accepted by ${result.source}.\n`
        : status === 'refused'
          ? `Refused: ${result.code}.\n`
          : 'Sent, and not confirmed: look for it in the next directory, or publish again.\n';
    print(context, flags, result, text + (status === 'accepted' ? '' : answersText(result.answers)));
    return status === 'accepted' ? EXIT.ok : EXIT.lostOrWrong;
  } catch (error) {
    return unanswered(error, context);
  } finally {
    client.close();
  }
}

/** Verifies a directory in a file. @returns the exit code */
export async function verify(file: string, flags: VerifyFlags, context: CliContext): Promise<number> {
  const chain = await chainOf(flags, context);
  const raw = await fetchDirectory(placeOf(file));
  const verdict = await verifyDirectory(raw, { root: chain, atSeconds: flags.at ?? Date.now() / 1000 });
  return tell(verdict, file, flags, context);
}

/** Gets a directory and verifies it. @returns the exit code */
export async function pull(flags: PullFlags, context: CliContext): Promise<number> {
  if (flags.from !== undefined) return pullFrom(flags.from, flags, context);
  const root = await readRootDocument(await trustRootOf(flags, context));
  const discovery = new DiscoveryClient({
    root,
    nodes: await nodesOf(flags, context),
    limits: LIMITS,
    ...(flags.cache === undefined ? {} : { cachePath: resolve(flags.cache) }),
  });
  try {
    if (flags.roots !== undefined) await discovery.offerRoots(await rootsIn(flags.roots));
    const list: FullList = await discovery.refresh(flags.timeout * 1000);
    await keep(flags, list.encoded);
    return tell(list.directory, list.source, flags, context);
  } catch (error) {
    return unanswered(error, context);
  } finally {
    discovery.close();
  }
}

/** Gets a directory from a web server or a file; a web server that has newer trust roots is asked for them. */
async function pullFrom(from: string, flags: PullFlags, context: CliContext): Promise<number> {
  const timeoutMs = flags.timeout * 1000;
  const place = placeOf(from);
  const raw = await fetchDirectory(place, { timeoutMs });
  const atSeconds = flags.at ?? Date.now() / 1000;
  let chain = await chainOf(flags, context);
  let verdict = await verifyDirectory(raw, { root: chain, atSeconds });
  if (!verdict.ok && verdict.code === 'quorumMissing' && /^https?:/i.test(place.toString())) {
    const signal = AbortSignal.timeout(timeoutMs);
    chain = await learnt(chain, () => fetchTrustRoots(new URL('trust-roots', place), { signal }));
    verdict = await verifyDirectory(raw, { root: chain, atSeconds });
  }
  if (verdict.ok) await keep(flags, toBinary(DiscoveryDirectorySchema, raw));
  return tell(verdict, from, flags, context);
}

/** A chain with what a source has more; one that has nothing, or does not know the question, changes nothing. */
async function learnt(chain: TrustRootChain, ask: () => Promise<readonly SignedTrustRoot[]>): Promise<TrustRootChain> {
  const roots = await ask().catch(() => []);
  return (await extendChain(chain, roots)).chain;
}

/** The chain that the flags give. @throws NodeError NODE_KEYS_UNREADABLE, NODE_ROOT_REFUSED */
async function chainOf(flags: TrustFlags, context: CliContext): Promise<TrustRootChain> {
  const first = chainFrom(await readRootDocument(await trustRootOf(flags, context)));
  if (flags.roots === undefined) return first;
  const { chain, refused } = await extendChain(first, await rootsIn(flags.roots));
  if (refused === null) return chain;
  throw new NodeError('NODE_ROOT_REFUSED', `${flags.roots}: ${refused.code}, ${refused.detail}`, { ...refused });
}

function tell(
  verdict: VerifiedDirectory | RefusedDirectory,
  source: string,
  flags: TrustFlags,
  context: CliContext,
): number {
  if (!verdict.ok) {
    print(
      context,
      flags,
      { ...verdict, source },
      `Not to be believed: ${verdict.code}, ${plainLine(verdict.detail)}.\n`,
    );
    return EXIT.lostOrWrong;
  }
  const { creation, expiration, items, signers, complete, fullItems } = verdict;
  const plain = items.map(({ identity, mode, address, fingerprint, expiration: ends }) => ({
    ...{ identity, mode, address, fingerprint },
    expiration: Number(ends),
  }));
  const text = formatFacts([
    ['verified', 'yes'],
    ['from', source],
    ['items', complete ? String(items.length) : `${items.length} of ${fullItems}: the short list for older clients`],
    ['created', formatTime(creation)],
    ['expires', formatTime(expiration)],
    ['signed by', signers.map(shortIdentity).join(', ')],
  ]);
  print(context, flags, { ok: true, source, creation, expiration, signers, items: plain }, text);
  return EXIT.ok;
}

/** Tells what each source said; the exit code is whether any of them said anything. */
function unanswered(error: unknown, context: CliContext): number {
  const details = (error as { readonly details?: { readonly answers?: unknown } }).details;
  if (!Array.isArray(details?.answers)) throw error;
  const answers = details.answers as readonly SourceAnswer[];
  context.stderr.write(`${errorText(error)}\n${answersText(answers)}`);
  return answers.some(({ code }) => !/^(LINK|CLIENT)_|^pending$/.test(code)) ? EXIT.lostOrWrong : EXIT.unreachable;
}

/** What each source said, a line each. The words are those of servers that nobody need believe. */
function answersText(answers: readonly SourceAnswer[]): string {
  return answers
    .map(({ source, code, detail }) => `${plainLine(`  ${source}  ${code}  ${detail}`).trimEnd()}\n`)
    .join('');
}

/** Writes what was pulled. A file is replaced in one step, so that a web server never gives half of it away. */
async function keep({ out }: PullFlags, bytes: Uint8Array): Promise<void> {
  if (out === undefined) return;
  const file = resolve(out);
  try {
    const special = await stat(file).then(
      (found) => !found.isFile(),
      () => false,
    );
    await (special ? writeFile(file, bytes) : replaceFile(file, bytes, PUBLIC_FILE));
  } catch (cause) {
    throw new NodeError('NODE_INVALID_OPTION', `--out: ${out} cannot be written`, { option: 'out' }, cause);
  }
}

async function signedPacket(flags: PublishFlags, profile: NetworkProfile): Promise<Uint8Array> {
  if (flags.keys === undefined || flags.address.length === 0) {
    throw new NodeError('NODE_INVALID_OPTION', 'give a packet, or --keys and --address', { option: 'keys' });
  }
  const wrong = flags.address.find((address) => !isItemAddress(address));
  if (wrong !== undefined) {
    const message = `--address ${wrong}: it must be HOST:PORT, or [V6]:PORT`;
    throw new NodeError('NODE_INVALID_OPTION', message, { option: 'address' });
  }
  const random = (): string => randomBytes(32).toString('hex').toUpperCase();
  const item = {
    fingerprint: flags.fingerprint ?? random(),
    handshake: flags.handshake ?? random(),
    address: flags.address,
    expiration: Math.floor(Date.now() / 1000) + flags.lifetime,
  };
  const publisher = await readPublisherFile(resolve(flags.keys));
  try {
    return signItem(publisher, item, profile);
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    throw new NodeError('NODE_INVALID_OPTION', `--${error.message}`, error.details, error);
  }
}

async function bytesOf(file: string): Promise<Uint8Array> {
  try {
    return await readBounded(resolve(file), MAX_PACKET_FILE_BYTES);
  } catch (cause) {
    throw new NodeError('NODE_INVALID_OPTION', `${file} cannot be read`, { option: 'packet' }, cause);
  }
}

async function nodesOf(flags: NetworkFlags, context: CliContext): Promise<readonly NodeAddress[]> {
  if (flags.node.length > 0) return flags.node;
  const { config } = await configOf(flags, context);
  return config.members.map(({ host, port, fingerprint }) => ({ host, port, fingerprint }));
}

async function trustRootOf(flags: TrustFlags, context: CliContext): Promise<string> {
  if (flags.trustRoot !== undefined) return resolve(flags.trustRoot);
  const { config, path } = await configOf(flags, context);
  return path(config.trustRoot);
}

function placeOf(from: string): string {
  return /^[a-z]+:\/\//i.test(from) ? from : resolve(from);
}
