import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { toBinary } from '@bufbuild/protobuf';
import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import { DiscoveryDirectorySchema } from '@discovery-raft/protocol';

const gzipAsync = promisify(gzip);
const brotliAsync = promisify(brotliCompress);
/** Most of what a directory holds are keys and signatures, which do not shrink: more effort gains nothing. */
const GZIP_LEVEL = 6;
const BROTLI_QUALITY = 5;

/** How a body may be encoded. */
export type Encoding = 'br' | 'gzip' | 'identity';

/** A directory as it goes out over HTTP. */
export interface PreparedDirectory {
  readonly stored: StoredDirectory;
  /** Names these bytes; without quotes. */
  readonly tag: string;
  readonly bodies: Readonly<Record<Encoding, Buffer | null>>;
}

/** Encodes and compresses each directory once, on libuv's threads; interim ones are too short-lived to compress. */
export class DirectoryPress {
  readonly #prepared = new WeakMap<StoredDirectory, Promise<PreparedDirectory>>();

  /** The directory made ready; the same promise for the same object. */
  prepare(stored: StoredDirectory): Promise<PreparedDirectory> {
    let prepared = this.#prepared.get(stored);
    if (prepared === undefined) {
      prepared = press(stored);
      this.#prepared.set(stored, prepared);
    }
    return prepared;
  }
}

async function press(stored: StoredDirectory): Promise<PreparedDirectory> {
  const identity = Buffer.from(toBinary(DiscoveryDirectorySchema, stored.directory));
  const tag = hash('sha256', identity, 'hex').slice(0, 32);
  if (stored.round === 0) return { stored, tag, bodies: { identity, gzip: null, br: null } };
  const params = { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY };
  const [zipped, br] = await Promise.all([
    gzipAsync(identity, { level: GZIP_LEVEL }),
    brotliAsync(identity, { params: { ...params, [constants.BROTLI_PARAM_SIZE_HINT]: identity.length } }),
  ]);
  return { stored, tag, bodies: { identity, gzip: zipped, br } };
}

/** The smallest body that a client takes, by its Accept-Encoding (RFC 9110, section 12.5.3). */
export function chooseEncoding(accept: string | undefined, bodies: PreparedDirectory['bodies']): Encoding {
  const weights = new Map<string, number>();
  for (const part of (accept ?? '').slice(0, 1000).split(',')) {
    const [name = '', ...parameters] = part.trim().toLowerCase().split(';');
    const q = parameters.map((text) => /^\s*q=([\d.]+)\s*$/.exec(text)?.[1]).find((text) => text !== undefined);
    if (name !== '') weights.set(name, q === undefined ? 1 : Number(q));
  }
  const taken = (['br', 'gzip'] as const).filter(
    (name) => bodies[name] !== null && (weights.get(name) ?? weights.get('*') ?? 0) > 0,
  );
  return taken[0] ?? 'identity';
}

/** The entity tag of a body: each encoding has its own. */
export function entityTag(prepared: PreparedDirectory, encoding: Encoding): string {
  return encoding === 'identity' ? `"${prepared.tag}"` : `"${prepared.tag}-${encoding}"`;
}

/** Whether If-None-Match names this directory, in whatever encoding. */
export function matchesTag(header: string | undefined, prepared: PreparedDirectory): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header
    .slice(0, 4000)
    .split(',')
    .some(
      (tag) =>
        tag
          .trim()
          .replace(/^W\//, '')
          .replace(/^"|"$/g, '')
          .replace(/-(br|gzip)$/, '') === prepared.tag,
    );
}
