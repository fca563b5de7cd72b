import { RaftError } from '@discovery-raft/raft-core';

/** What a directed link does to the messages on it. Rates are probabilities per message, 0 to 1. */
export interface LinkFaults {
  /** Least time a message takes, in milliseconds. */
  readonly latencyMs: number;
  /** Uniform extra time in [0, jitterMs). Order is kept: a message never overtakes the one before. */
  readonly jitterMs: number;
  /** Share of messages that vanish, requests and responses alike. */
  readonly lossRate: number;
  /** Share of messages that arrive twice. */
  readonly duplicationRate: number;
  /** Share of messages that leave the order: they take uniform [0, reorderDelayMs) longer, and others overtake them. */
  readonly reorderRate: number;
  readonly reorderDelayMs: number;
}

/** A perfect link: nothing is lost, each hop takes one turn of the event loop. */
export const NO_FAULTS: LinkFaults = Object.freeze({
  latencyMs: 0,
  jitterMs: 0,
  lossRate: 0,
  duplicationRate: 0,
  reorderRate: 0,
  reorderDelayMs: 10,
});

/** `base` with some fields replaced. @throws RaftError RAFT_INVALID_OPTION for a value out of range */
export function mergeFaults(base: LinkFaults, change: Partial<LinkFaults>): LinkFaults {
  const merged = { ...base, ...change };
  for (const name of ['latencyMs', 'jitterMs', 'reorderDelayMs'] as const) {
    if (!(merged[name] >= 0 && merged[name] < Infinity)) refuse(name, merged[name]);
  }
  for (const name of ['lossRate', 'duplicationRate', 'reorderRate'] as const) {
    if (!(merged[name] >= 0 && merged[name] <= 1)) refuse(name, merged[name]);
  }
  return merged;
}

function refuse(name: string, value: number): never {
  throw new RaftError('RAFT_INVALID_OPTION', `${name} is out of range`, { [name]: value });
}
