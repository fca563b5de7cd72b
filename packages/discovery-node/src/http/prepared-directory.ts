import { createHash } from 'node:crypto';
import { constants, createBrotliCompress, createGzip } from 'node:zlib';
import type { StoredDirectory } from '@discovery-raft/discovery-consensus-fsm';
import { encodedParts } from '../directory/encoded-parts.js';

/** Most of what a directory holds are keys and signatures, which do not shrink: more effort gains nothing. */
const GZIP_LEVEL = 6;
const BROTLI_QUALITY = 5;
/** Above this the least effort has to do: on 28 MB it takes a tenth of the time, for 4 % more bytes. */
const LARGE_BYTES = 4 * 1024 * 1024;
const LARGE_GZIP_LEVEL = 1;
const LARGE_BROTLI_QUALITY = 1;
/** Size of the pieces that compressed bytes come in, so that there are few of them. */
const PIECE_BYTES = 1024 * 1024;

/** How a body may be encoded. */
export type Encoding = 'br' | 'gzip' | 'identity';

/** The bytes of a response, in pieces that follow one another. */
export interface Body {
  readonly pieces: readonly Uint8Array[];
  /** Of all pieces together. */
  readonly bytes: number;
}

/** A directory as it goes out over HTTP. */
export interface PreparedDirectory {
  readonly stored: StoredDirectory;
  /** Names its bytes; without quotes. The same at every node that has the same listing and signatures. */
  readonly tag: string;
  /** Whether there are other encodings than the identity. */
  readonly compresses: boolean;
  /** Its bytes in an encoding, made once, when they are first asked for. */
  body(encoding: Encoding): Promise<Body>;
}

/**
 * Encodes and compresses each directory once, on libuv's threads; interim ones are too short-lived to compress. An encoding
 * that somebody took the last directory in is made before the next one is told of; one that nobody takes is never made,
 * since compressing 28 MB costs as much as half of a round.
 */
export class DirectoryPress {
  readonly #prepared = new WeakMap<StoredDirectory, Promise<PreparedDirectory>>();
  /** Encodings of the last directory that were asked for. */
  #asked = new Set<Encoding>();

  /** The directory made ready; the same promise for the same object. */
  prepare(stored: StoredDirectory): Promise<PreparedDirectory> {
    let prepared = this.#prepared.get(stored);
    if (prepared === undefined) {
      prepared = this.#press(stored);
      this.#prepared.set(stored, prepared);
    }
    return prepared;
  }

  async #press(stored: StoredDirectory): Promise<PreparedDirectory> {
    const identity = bodyOf(encodedParts(stored.directory));
    const compresses = stored.round !== 0;
    const made = new Map<Encoding, Promise<Body>>([['identity', Promise.resolve(identity)]]);
    const make = (encoding: Encoding): Promise<Body> => {
      let body = made.get(encoding);
      if (body === undefined) {
        body = compress(identity, encoding);
        made.set(encoding, body);
      }
      return body;
    };
    if (compresses) {
      const asked = this.#asked;
      this.#asked = new Set();
      await Promise.all([...asked].map(make));
    }
    const body = (encoding: Encoding): Promise<Body> => {
      if (compresses) this.#asked.add(encoding);
      return make(encoding);
    };
    return { stored, tag: tagOf(stored, identity), compresses, body };
  }
}

/** Of the listing its digest is known, so only what stands around it is hashed. */
function tagOf({ digest, directory }: StoredDirectory, { pieces }: Body): string {
  const hash = createHash('sha256').update(digest);
  for (const piece of pieces) if (piece !== directory.directory) hash.update(piece);
  return hash.digest('hex').slice(0, 32);
}

function bodyOf(pieces: readonly Uint8Array[]): Body {
  return { pieces, bytes: pieces.reduce((sum, { length }) => sum + length, 0) };
}

async function compress({ pieces, bytes }: Body, encoding: Encoding): Promise<Body> {
  const isLarge = bytes > LARGE_BYTES;
  const quality = isLarge ? LARGE_BROTLI_QUALITY : BROTLI_QUALITY;
  const params = { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: bytes };
  const level = isLarge ? LARGE_GZIP_LEVEL : GZIP_LEVEL;
  const chunkSize = Math.min(PIECE_BYTES, Math.max(1024, bytes));
  const stream = encoding === 'br' ? createBrotliCompress({ params, chunkSize }) : createGzip({ level, chunkSize });
  for (const piece of pieces) stream.write(piece);
  stream.end();
  const compressed: Uint8Array[] = [];
  for await (const piece of stream) compressed.push(piece as Buffer);
  return bodyOf(compressed);
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
