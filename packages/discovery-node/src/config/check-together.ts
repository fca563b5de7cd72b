import { isIP } from 'node:net';
import { resolveConfig as resolveConsensus } from '@discovery-raft/discovery-consensus-fsm';
import { DEFAULT_RAFT_CONFIG, resolveRaftConfig } from '@discovery-raft/raft-core';
import { parseIdentity } from '@discovery-raft/psp-pki';
import type { ConfigProblem } from './problem.js';
import type { NodeConfig } from './schema.js';

type Finding = Omit<ConfigProblem, 'source'>;

/** What no single value shows: settings that do not go together. */
export function checkTogether(config: NodeConfig): readonly Finding[] {
  return [...checkMembers(config), ...checkRaft(config), ...checkConsensus(config), ...checkExposure(config)];
}

function* checkMembers({ members, join }: NodeConfig): Generator<Finding> {
  if (members.length === 0 && join === undefined) {
    const advice = 'Name every node of the network; or, for one that joins, where to ask, in join.peers.';
    yield { path: ['members'], message: 'names nobody', advice };
  }
  const seen = new Map<string, number>();
  for (const [i, member] of members.entries()) {
    yield* checkIdentity(member.identity, i);
    const unique = {
      identity: member.identity,
      fingerprint: member.fingerprint,
      port: `${member.host}:${member.port}`,
    };
    for (const [name, value] of Object.entries(unique)) {
      const other = seen.get(value);
      if (other === undefined) seen.set(value, i);
      else {
        const advice = 'Each node has an identity, a fingerprint and an address of its own; remove one or correct it.';
        yield { path: ['members', i, name], message: `is that of members[${other}] too`, advice };
      }
    }
  }
}

function* checkIdentity(identity: string, at: number): Generator<Finding> {
  const path = ['members', at, 'identity'];
  const advice = 'Copy it from `discovery-node keys show` of that node.';
  try {
    const { subNamespace, type } = parseIdentity(identity);
    if (subNamespace === 'discovery' && type === 'node') return;
    yield { path, message: `is a ${subNamespace} ${type}, not a discovery node`, advice };
  } catch (error) {
    yield { path, message: `is no identity: ${error instanceof Error ? error.message : String(error)}`, advice };
  }
}

function* checkRaft({ raft }: NodeConfig): Generator<Finding> {
  const { heartbeatTimeoutMs, electionTimeoutMs, leaderLeaseTimeoutMs } = { ...DEFAULT_RAFT_CONFIG, ...given(raft) };
  if (electionTimeoutMs < heartbeatTimeoutMs) {
    yield {
      path: ['raft', 'electionTimeoutMs'],
      message: `(${electionTimeoutMs}) is below raft.heartbeatTimeoutMs (${heartbeatTimeoutMs})`,
      advice: 'Raise it to at least that, or lower the other.',
    };
  }
  if (leaderLeaseTimeoutMs > heartbeatTimeoutMs) {
    yield {
      path: ['raft', 'leaderLeaseTimeoutMs'],
      message: `(${leaderLeaseTimeoutMs}) is above raft.heartbeatTimeoutMs (${heartbeatTimeoutMs})`,
      advice: 'Lower it to at most that, or raise the other.',
    };
  }
  yield* checkRaftRanges(given(raft));
}

/** The range of each option, as Raft itself has it. */
function* checkRaftRanges({ signatures: _, ...raft }: Partial<NodeConfig['raft']>): Generator<Finding> {
  const left: Record<string, unknown> = { ...raft };
  for (;;) {
    try {
      return void resolveRaftConfig(left);
    } catch (error) {
      const { details, message } = error as { readonly details?: { readonly option?: string }; message: string };
      const option = details?.option;
      if (option === undefined || !Object.hasOwn(left, option)) return;
      const value = left[option];
      delete left[option];
      // How these two stand to the others is told above, with more to say.
      if (/^(electionTimeoutMs|leaderLeaseTimeoutMs) must be at (least|most) heartbeat/.test(message)) continue;
      const why = message.slice(option.length + 1).replace(/, not [^,]*$/, '');
      yield { path: ['raft', option], message: `is ${String(value)}`, advice: `It ${why}.` };
    }
  }
}

function* checkConsensus({ consensus, members }: NodeConfig): Generator<Finding> {
  const self = members[0]?.identity;
  if (self === undefined) return;
  try {
    resolveConsensus({ ...given(consensus), members }, self);
  } catch (error) {
    const { details } = error as { details?: { option?: string } };
    // Members are judged above, with more to say.
    if (details?.option === undefined || details.option === 'members') return;
    const text = error instanceof Error ? error.message.replace(/^option [^:]*: /, '').replace(/ \[.*\]$/, '') : '';
    yield { path: ['consensus', details.option], message: 'does not fit', advice: `It must be: ${text}.` };
  }
}

function* checkExposure({ http, listen, advertise, members }: NodeConfig): Generator<Finding> {
  if (http.enabled && http.port !== 0 && http.port === listen.port) {
    const advice = 'Give HTTP a port of its own.';
    yield { path: ['http', 'port'], message: 'is the port of listen too', advice };
  }
  if (advertise !== undefined && isIP(advertise.host) !== 0 && /^(0\.0\.0\.0|::)$/.test(advertise.host)) {
    const advice = 'Name the address that others reach this node at.';
    yield { path: ['advertise', 'host'], message: 'is no address that anybody can connect to', advice };
  }
  for (const [i, { host }] of members.entries()) {
    if (/^(0\.0\.0\.0|::)$/.test(host)) {
      const advice = 'Name the address that its peers reach it at.';
      yield { path: ['members', i, 'host'], message: 'is no address that anybody can connect to', advice };
    }
  }
}

/** An object without the properties that are undefined. */
export function given<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
