import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { toBinary } from '@bufbuild/protobuf';
import {
  ClientError,
  connectOverTls,
  DiscoveryClient,
  fetchDirectory,
  formatAddress,
  NodeClient,
  signItem,
  verifyDirectory,
  type FullList,
  type NodeAddress,
  type RefusedDirectory,
  type VerifiedDirectory,
} from '@discovery-raft/discovery-client';
import { DiscoveryDirectorySchema } from '@discovery-raft/protocol';
import { DEFAULT_LIMITS, isItemAddress } from '@discovery-raft/psp-envelope';
import type { NetworkProfile, TrustRoot } from '@discovery-raft/psp-pki';
import { NodeError } from '../errors.js';
import { readPublisherFile } from '../keys/publisher-file.js';
import { readTrustRoot } from '../keys/trust-root-file.js';
import { configOf, hostPort, print, type CliContext, type ConfigFlags } from './context.js';
import { EXIT } from './exit-codes.js';
import { formatFacts, formatTime, shortIdentity } from './table.js';

/** What a directory may hold; deployed clients stop at 2 MiB, this one does not. */
const LIMITS = { ...DEFAULT_LIMITS, maxMessageBytes: 64 * 1024 * 1024, maxBodyFields: 200_000 };

/** Flags of commands that believe a trust root. */
export interface TrustFlags extends ConfigFlags {
  readonly trustRoot?: string;
  readonly json?: true;
}

/** Flags of commands that speak to the network's nodes. */
export interface NetworkFlags extends TrustFlags {
  readonly node: readonly string[];
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
  const root = await readTrustRoot(await trustRootOf(flags, context));
  const packet = file === undefined ? await signedPacket(flags, root.profile) : await bytesOf(file);
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
    const said = result.answers.map(({ source, code, detail }) => `  ${source}  ${code}  ${detail}`.trimEnd() + '\n');
    print(context, flags, result, text + (status === 'accepted' ? '' : said.join('')));
    return status === 'accepted' ? EXIT.ok : EXIT.lostOrWrong;
  } catch (error) {
    return unanswered(error, context);
  } finally {
    client.close();
  }
}

/** Verifies a directory in a file. @returns the exit code */
export async function verify(file: string, flags: VerifyFlags, context: CliContext): Promise<number> {
  const root = await readTrustRoot(await trustRootOf(flags, context));
  const raw = await fetchDirectory(placeOf(file));
  const verdict = await verifyDirectory(raw, { root, atSeconds: flags.at ?? Date.now() / 1000 });
  return tell(verdict, file, flags, context);
}

/** Gets a directory and verifies it. @returns the exit code */
export async function pull(flags: PullFlags, context: CliContext): Promise<number> {
  const root = await readTrustRoot(await trustRootOf(flags, context));
  if (flags.from !== undefined) {
    const timeoutMs = flags.timeout * 1000;
    const raw = await fetchDirectory(placeOf(flags.from), { timeoutMs });
    const atSeconds = flags.at ?? Date.now() / 1000;
    const verdict = await verifyDirectory(raw, { root, atSeconds });
    if (verdict.ok) await keep(flags, toBinary(DiscoveryDirectorySchema, raw));
    return tell(verdict, flags.from, flags, context);
  }
  if (flags.out !== undefined) return pullToFile(flags, root, context);
  const discovery = new DiscoveryClient({
    root,
    nodes: await nodesOf(flags, context),
    limits: LIMITS,
    ...(flags.cache === undefined ? {} : { cachePath: resolve(flags.cache) }),
  });
  try {
    const list: FullList = await discovery.refresh(flags.timeout * 1000);
    return tell(list.directory, list.source, flags, context);
  } catch (error) {
    return unanswered(error, context);
  } finally {
    discovery.close();
  }
}

/** Asks one node after the other, until one gives a directory that is to be believed, and keeps its bytes. */
async function pullToFile(flags: PullFlags, root: TrustRoot, context: CliContext): Promise<number> {
  const connect = connectOverTls();
  const signal = AbortSignal.timeout(flags.timeout * 1000);
  let refused: { readonly verdict: RefusedDirectory; readonly source: string } | undefined;
  let failure: unknown;
  for (const node of await nodesOf(flags, context)) {
    const source = formatAddress(node);
    try {
      const connection = await connect(node, { signal });
      try {
        const messages = new NodeClient(connection.channel, { version: root.profile.discoveryVersion, limits: LIMITS });
        const raw = await messages.pull();
        const verdict = await verifyDirectory(raw, { root, atSeconds: Date.now() / 1000 });
        if (!verdict.ok) refused = { verdict, source };
        else {
          await keep(flags, toBinary(DiscoveryDirectorySchema, raw));
          return tell(verdict, source, flags, context);
        }
      } finally {
        connection.close();
      }
    } catch (error) {
      // The next node may do better; if none does, the last one's reason is told.
      failure = error;
    }
  }
  if (refused !== undefined) return tell(refused.verdict, refused.source, flags, context);
  throw new NodeError('NODE_NETWORK_UNREACHABLE', 'no node gave a directory', {}, failure);
}

function tell(
  verdict: VerifiedDirectory | RefusedDirectory,
  source: string,
  flags: TrustFlags,
  context: CliContext,
): number {
  if (!verdict.ok) {
    print(context, flags, { ...verdict, source }, `Not to be believed: ${verdict.code}, ${verdict.detail}.\n`);
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
  const answers = details.answers as readonly { source: string; code: string; detail: string }[];
  const lines = answers.map(({ source, code, detail }) => `  ${source}  ${code}  ${detail}`.trimEnd() + '\n');
  context.stderr.write(`${(error as Error).message}\n${lines.join('')}`);
  return answers.some(({ code }) => !/^(LINK|CLIENT)_|^pending$/.test(code)) ? EXIT.lostOrWrong : EXIT.unreachable;
}

async function keep({ out }: PullFlags, bytes: Uint8Array): Promise<void> {
  if (out !== undefined) await writeFile(resolve(out), bytes);
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
    return await readFile(resolve(file));
  } catch (cause) {
    throw new NodeError('NODE_INVALID_OPTION', `${file} cannot be read`, { option: 'packet' }, cause);
  }
}

async function nodesOf(flags: NetworkFlags, context: CliContext): Promise<readonly NodeAddress[]> {
  if (flags.node.length > 0) return flags.node.map(hostPort);
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
