import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
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
/** Above this the least effort has to do: on 28 MB it takes a tenth of the time, for 4 % more bytes. */
const LARGE_BYTES = 4 * 1024 * 1024;
const LARGE_GZIP_LEVEL = 1;
const LARGE_BROTLI_QUALITY = 1;

/** How a body may be encoded. */
export type Encoding = 'br' | 'gzip' | 'identity';

/** A directory as it goes out over HTTP. */
export interface PreparedDirectory {
  readonly stored: StoredDirectory;
  /** Names these bytes; without quotes. */
  readonly tag: string;
  /** Whether there are other encodings than the identity. */
  readonly compresses: boolean;
  /** Its bytes in an encoding, made once, when they are first asked for. */
  body(encoding: Encoding): Promise<Buffer>;
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
  // Encoding and hashing take a while each for many megabytes: everything else gets a turn in between.
  await setImmediate();
  const tag = hash('sha256', identity, 'hex').slice(0, 32);
  const bodies = new Map<Encoding, Promise<Buffer>>([['identity', Promise.resolve(identity)]]);
  const body = (encoding: Encoding): Promise<Buffer> => {
    let made = bodies.get(encoding);
    if (made === undefined) {
      made = encoding === 'br' ? brotli(identity) : zip(identity);
      bodies.set(encoding, made);
    }
    return made;
  };
  const compresses = stored.round !== 0;
  // What nearly every client takes is made before the first one asks.
  if (compresses) await body('br');
  return { stored, tag, compresses, body };
}

function zip(bytes: Buffer): Promise<Buffer> {
  return gzipAsync(bytes, { level: bytes.length > LARGE_BYTES ? LARGE_GZIP_LEVEL : GZIP_LEVEL });
}

function brotli(bytes: Buffer): Promise<Buffer> {
  const quality = bytes.length > LARGE_BYTES ? LARGE_BROTLI_QUALITY : BROTLI_QUALITY;
  const params = { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return brotliAsync(bytes, { params });
}

/** The smallest body that a client takes, by its Accept-Encoding (RFC 9110, section 12.5.3). */
export function chooseEncoding(accept: string | undefined, { compresses }: PreparedDirectory): Encoding {
  if (!compresses) return 'identity';
  const weights = new Map<string, number>();
  for (const part of (accept ?? '').slice(0, 1000).split(',')) {
    const [name = '', ...parameters] = part.trim().toLowerCase().split(';');
    const q = parameters.map((text) => /^\s*q=([\d.]+)\s*$/.exec(text)?.[1]).find((text) => text !== undefined);
    if (name !== '') weights.set(name, q === undefined ? 1 : Number(q));
  }
  return (['br', 'gzip'] as const).find((name) => (weights.get(name) ?? weights.get('*') ?? 0) > 0) ?? 'identity';
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
