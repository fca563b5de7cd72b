import { createReadStream } from 'node:fs';
import type { DiscoveryDirectory, SignedTrustRoot } from '@discovery-raft/protocol';
import { decodeTrustRoots, decodeDiscoveryBody, DEFAULT_LIMITS } from '@discovery-raft/psp-envelope';
import { systemClock, type Clock } from '@discovery-raft/raft-core';
import { DEFAULT_MAX_DIRECTORY_BYTES } from '../directory/verify-directory.js';
import { ClientError } from '../errors.js';
import type { DirectorySource } from './directory-source.js';

/** What {@link fetchDirectory} takes beside the place. */
export interface FetchDirectoryOptions {
  /** Most bytes that are read, after decompression. Default 64 MiB. */
  readonly maxDirectoryBytes?: number;
  /** Default 30,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch;
}

/**
 * Gets a directory from anywhere: an `http:` or `https:` URL, a `file:` URL or path, or bytes. The format is the protobuf
 * `DiscoveryDirectory`, which nodes serve at `/directory`. Any web server or cache will do: nothing is verified here, see
 * `verifyDirectory`.
 *
 * @throws ClientError CLIENT_SOURCE_FAILED, CLIENT_TOO_LARGE, CLIENT_BAD_ANSWER, CLIENT_TIMEOUT, CLIENT_ABORTED
 */
export async function fetchDirectory(
  from: string | URL | Uint8Array,
  options: FetchDirectoryOptions = {},
): Promise<DiscoveryDirectory> {
  const { maxDirectoryBytes = DEFAULT_MAX_DIRECTORY_BYTES, timeoutMs = 30_000, clock = systemClock } = options;
  if (from instanceof Uint8Array) return decodeDirectory(from, maxDirectoryBytes);
  const name = from.toString();
  const stop = new AbortController();
  let late = false;
  const timer = clock.setTimer(timeoutMs, () => {
    late = true;
    stop.abort();
  });
  const abort = (): void => stop.abort();
  options.signal?.addEventListener('abort', abort);
  if (options.signal?.aborted === true) stop.abort();
  try {
    const bytes = isWeb(name)
      ? await readWeb(name, options.fetch ?? fetch, stop.signal, maxDirectoryBytes)
      : await readStream(
          createReadStream(name.startsWith('file:') ? new URL(name) : name, { signal: stop.signal }),
          maxDirectoryBytes,
        );
    return decodeDirectory(bytes, maxDirectoryBytes);
  } catch (error) {
    if (error instanceof ClientError) throw error;
    if (late) throw new ClientError('CLIENT_TIMEOUT', `no directory within ${timeoutMs} ms`, { source: name });
    if (stop.signal.aborted)
      throw new ClientError('CLIENT_ABORTED', 'the directory is not wanted any more', { source: name });
    throw new ClientError('CLIENT_SOURCE_FAILED', 'the directory cannot be read', { source: name }, error);
  } finally {
    timer.cancel();
    options.signal?.removeEventListener('abort', abort);
  }
}

/** Most bytes of trust roots that are read. */
const MAX_ROOTS_BYTES = 64 * 1024 * 1024;

/**
 * Gets signed trust roots from a URL, as nodes serve them at `/trust-roots`. Nothing is verified here.
 *
 * @throws ClientError CLIENT_SOURCE_FAILED, CLIENT_TOO_LARGE, CLIENT_BAD_ANSWER, and what the platform's fetch throws
 */
export async function fetchTrustRoots(
  url: string | URL,
  options: { readonly signal: AbortSignal; readonly fetch?: typeof fetch },
): Promise<readonly SignedTrustRoot[]> {
  const bytes = await readWeb(url.toString(), options.fetch ?? fetch, options.signal, MAX_ROOTS_BYTES);
  try {
    return decodeTrustRoots(bytes);
  } catch (error) {
    throw new ClientError('CLIENT_BAD_ANSWER', 'the bytes are no trust roots', {}, error);
  }
}

/** A URL or file as a source for a `DiscoveryClient`. */
export function placeSource(
  place: string | URL,
  options: Omit<FetchDirectoryOptions, 'signal' | 'timeoutMs'> = {},
): DirectorySource {
  const name = place.toString();
  const roots = isWeb(name) ? { pullRoots: rootsBeside(name, options.fetch) } : {};
  return {
    name,
    ...roots,
    // The client's own deadline counts; a timer here would only be a second one.
    pull: ({ signal }) => fetchDirectory(place, { ...options, signal, timeoutMs: 2 ** 31 - 1 }),
  };
}

/** A web server that has the directory has the roots beside it, as nodes do. */
function rootsBeside(directory: string, ask?: typeof fetch): NonNullable<DirectorySource['pullRoots']> {
  const url = new URL('trust-roots', directory);
  return ({ signal }) => fetchTrustRoots(url, { signal, ...(ask === undefined ? {} : { fetch: ask }) });
}

function isWeb(name: string): boolean {
  return /^https?:\/\//i.test(name);
}

async function readWeb(url: string, ask: typeof fetch, signal: AbortSignal, most: number): Promise<Uint8Array> {
  const response = await ask(url, { signal, headers: { accept: 'application/octet-stream' } });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    const { status } = response;
    throw new ClientError('CLIENT_SOURCE_FAILED', `the web server has no directory: it answers ${status}`, {
      source: url,
      status,
    });
  }
  return readStream(response.body, most);
}

async function readStream(stream: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    // Leaving the loop closes the stream.
    if (bytes > most) throw tooLarge(most);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

function decodeDirectory(bytes: Uint8Array, most: number): DiscoveryDirectory {
  if (bytes.length > most) throw tooLarge(most);
  try {
    const decoded = decodeDiscoveryBody('discoveryDirectory', bytes, DEFAULT_LIMITS);
    if (decoded.event === 'discoveryDirectory' && decoded.body.directory.length > 0) return decoded.body;
  } catch (error) {
    throw new ClientError('CLIENT_BAD_ANSWER', 'the bytes are no directory', {}, error);
  }
  throw new ClientError('CLIENT_BAD_ANSWER', 'the bytes hold no listing');
}

function tooLarge(most: number): ClientError {
  return new ClientError('CLIENT_TOO_LARGE', `the directory has more than ${most} bytes`, { most });
}
