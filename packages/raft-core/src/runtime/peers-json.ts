import { checkConfiguration } from '../core/configuration.js';
import { RaftError } from '../core/errors.js';
import type { Configuration, Server } from '../core/types.js';

/** Bytes of text that are looked at; a cluster has a handful of servers. */
const MAX_LENGTH = 1 << 20;

/**
 * Reads the `peers.json` of hashicorp/raft: an array of `{ id, address, non_voter }`, or the older array of addresses, which
 * then are the ids too. For {@link recoverCluster}.
 *
 * @throws RaftError RAFT_INVALID_CONFIGURATION, which says where
 */
export function parsePeersJson(text: string): Configuration {
  if (text.length > MAX_LENGTH) throw invalid(`it has more than ${MAX_LENGTH} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid('it is no JSON', cause);
  }
  if (!Array.isArray(value)) throw invalid('it is no array');
  const configuration: Configuration = { servers: value.map(readPeer) };
  checkConfiguration(configuration);
  return configuration;
}

function readPeer(value: unknown, at: number): Server {
  if (typeof value === 'string') return { suffrage: 'voter', id: value, address: value };
  const { id, address, non_voter: nonVoter = false } = Object(value) as Record<string, unknown>;
  if (typeof id !== 'string') throw invalid(`item ${at} has no id that is a text`);
  if (typeof address !== 'string') throw invalid(`item ${at} has no address that is a text`);
  if (typeof nonVoter !== 'boolean') throw invalid(`non_voter of item ${at} is neither true nor false`);
  return { suffrage: nonVoter ? 'nonvoter' : 'voter', id, address };
}

function invalid(why: string, cause?: unknown): RaftError {
  return new RaftError('RAFT_INVALID_CONFIGURATION', `peers.json: ${why}`, {}, cause);
}
