import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { NodeError } from '../errors.js';

/** A real relay, as a public directory lists it. */
export interface Relay {
  /** 20 bytes in upper-case hex. */
  readonly fingerprint: string;
  /** host:port or [v6]:port. */
  readonly address: readonly string[];
}

/** What changed in one hour. */
export interface ChurnHour {
  /** Unix seconds. */
  readonly at: number;
  readonly published: readonly Relay[];
  /** Fingerprints. */
  readonly gone: readonly string[];
}

/** A day of a real network. */
export interface RelayTrace {
  readonly relays: readonly Relay[];
  readonly churn: readonly ChurnHour[];
}

/**
 * Reads `relays.ndjson.gz` and `churn.ndjson` of a folder.
 *
 * @param limit only the first so many relays, and the churn that concerns them
 * @throws NodeError NODE_DATA_UNREADABLE
 */
export async function loadTrace(folder: string, limit = Infinity): Promise<RelayTrace> {
  try {
    const packed = await readFile(join(folder, 'relays.ndjson.gz'));
    const relays = lines<Relay>((await promisify(gunzip)(packed)).toString()).slice(0, limit);
    const known = new Set(relays.map(({ fingerprint }) => fingerprint));
    const everyone = relays.length < limit;
    const churn = lines<{ at: string; published: Relay[]; gone: string[] }>(
      await readFile(join(folder, 'churn.ndjson'), 'utf8'),
    ).map(({ at, published, gone }) => ({
      at: Date.parse(at) / 1000,
      published: published.filter(({ fingerprint }) => everyone || known.has(fingerprint)),
      gone: gone.filter((fingerprint) => everyone || known.has(fingerprint)),
    }));
    return { relays, churn };
  } catch (cause) {
    throw new NodeError('NODE_DATA_UNREADABLE', `the relays in ${folder} cannot be read`, { folder }, cause);
  }
}

function lines<T>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
