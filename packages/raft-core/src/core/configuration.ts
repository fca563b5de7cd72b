import { RaftError } from './errors.js';
import type { Configuration, LogIndex, Server, ServerId, Suffrage } from './types.js';

/** Whether a server's vote and acknowledgement count. */
export function isVoter(server: Server): boolean {
  return server.suffrage === 'voter';
}

/** The groups of voters of which each must agree: one, or two during a joint change (Raft paper, section 6). */
export function voterGroups(configuration: Configuration): ServerId[][] {
  const groups = [configuration.servers.filter(isVoter).map((server) => server.id)];
  if (configuration.outgoing) groups.push(configuration.outgoing.filter(isVoter).map((server) => server.id));
  return groups;
}

/** Every server that takes part, of both halves of a joint change; each once. */
export function allServers(configuration: Configuration): Server[] {
  const servers = new Map<ServerId, Server>();
  for (const server of configuration.outgoing ?? []) servers.set(server.id, server);
  for (const server of configuration.servers) {
    const old = servers.get(server.id);
    servers.set(server.id, old !== undefined && isVoter(old) ? { ...server, suffrage: 'voter' } : server);
  }
  return [...servers.values()];
}

/** Whether this server may vote and campaign. */
export function isVoterIn(configuration: Configuration, id: ServerId): boolean {
  return voterGroups(configuration).some((group) => group.includes(id));
}

/**
 * Refuses a configuration that no cluster can live with.
 *
 * @throws RaftError RAFT_INVALID_CONFIGURATION
 */
export function checkConfiguration(configuration: Configuration): void {
  const { servers: incoming, outgoing } = configuration;
  for (const servers of outgoing === undefined ? [incoming] : [incoming, outgoing]) {
    if (!Array.isArray(servers)) throw invalid('it has no list of servers');
    const ids = new Set<string>();
    const addresses = new Set<string>();
    for (const server of servers as readonly Server[]) {
      // It may come from a file, whatever the types say; and what cannot be read again must not get into a log.
      const { id, address, suffrage } = Object(server) as Server;
      if (typeof id !== 'string' || id === '') throw invalid('a server has no id, or an empty one');
      if (typeof address !== 'string' || address === '') throw invalid(`server ${id} has no address, or an empty one`);
      if (!isSuffrage(suffrage)) throw invalid(`the suffrage of server ${id} is ${String(suffrage)}`);
      if (ids.has(id)) throw invalid(`server ${id} stands in it twice`);
      if (addresses.has(address)) throw invalid(`address ${address} stands in it twice`);
      ids.add(id);
      addresses.add(address);
    }
    if (!(servers as readonly Server[]).some(isVoter)) throw invalid('it has no voter');
  }
}

function isSuffrage(value: unknown): value is Suffrage {
  return value === 'voter' || value === 'nonvoter' || value === 'staging';
}

function invalid(why: string): RaftError {
  return new RaftError('RAFT_INVALID_CONFIGURATION', `invalid configuration: ${why}`);
}

/**
 * A configuration as the bytes of a log entry: JSON in ASCII (other characters as \u escapes), so that it reads in a dump
 * and needs no text encoder.
 */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const json = JSON.stringify(configuration);
  const text = json.replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * Reads what {@link encodeConfiguration} wrote.
 *
 * @throws RaftError RAFT_MALFORMED, RAFT_INVALID_CONFIGURATION
 */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RaftError('RAFT_MALFORMED', 'a configuration entry is not JSON', {}, cause);
  }
  const { servers, outgoing } = Object(value) as { servers?: unknown; outgoing?: unknown };
  const configuration: Configuration = {
    servers: readServers(servers),
    ...(outgoing === undefined ? {} : { outgoing: readServers(outgoing) }),
  };
  checkConfiguration(configuration);
  return configuration;
}

function readServers(value: unknown): Server[] {
  if (!Array.isArray(value)) throw new RaftError('RAFT_MALFORMED', 'a configuration entry has no list of servers');
  return value.map((item: unknown) => {
    const { suffrage, id, address } = Object(item) as Partial<Record<keyof Server, unknown>>;
    if (!isSuffrage(suffrage) || typeof id !== 'string' || typeof address !== 'string') {
      throw new RaftError('RAFT_MALFORMED', 'a configuration entry has a malformed server');
    }
    return { suffrage, id, address };
  });
}

/** A configuration and the log entry that holds it; index 0 when none does yet. */
export interface ConfigurationAt {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/**
 * The configurations that the log holds, newest last. The newest counts from the moment it is appended; when its entry
 * is truncated, the one before counts again (Raft thesis, section 4.1).
 */
export class ConfigurationHistory {
  #items: ConfigurationAt[];

  constructor(base: ConfigurationAt) {
    this.#items = [base];
  }

  get latest(): ConfigurationAt {
    return this.#items.at(-1)!;
  }

  /** The newest at or below `index`, or the oldest known. */
  at(index: LogIndex): ConfigurationAt {
    return this.#items.findLast((item) => item.index <= index) ?? this.#items[0]!;
  }

  append(item: ConfigurationAt): void {
    this.#items.push(item);
  }

  /** Forgets those at `from` and after. Returns whether the newest changed. */
  truncateFrom(from: LogIndex): boolean {
    const before = this.#items.length;
    this.#items = this.#items.filter((item, i) => i === 0 || item.index < from);
    return this.#items.length !== before;
  }

  /** Forgets those that a later one at or below `index` replaces. */
  compact(index: LogIndex): void {
    const keep = this.#items.findLastIndex((item) => item.index <= index);
    if (keep > 0) this.#items.splice(0, keep);
  }

  reset(base: ConfigurationAt): void {
    this.#items = [base];
  }
}
