import type { Effect, EffectType, MachineEvent, MachineState, StateName } from './states.js';
import { TRANSITIONS } from './transitions.js';
import type { GuardName, TransitionRow } from './transitions.js';

/** What a {@link transition} gives. */
export interface TransitionResult {
  readonly state: MachineState;
  /** To be carried out in this order, after the new state is in force. */
  readonly effects: readonly Effect[];
  /** The row that was taken; undefined when the event changed nothing. */
  readonly row: TransitionRow | undefined;
}

/**
 * The reducer: pure and total. An event without a matching row gives the same state object and no effects.
 *
 * @param state where the machine is
 * @param event what happened
 */
export function transition(state: MachineState, event: MachineEvent): TransitionResult {
  const row = findRow(state, event);
  if (row === undefined) return { state, effects: [], row: undefined };
  const next = nextState(state, event, row.to);
  const effects = row.effects
    .filter((type) => isNeeded(type, state))
    .map((type): Effect => {
      const round = type === 'dropRound' ? state.round : next.round;
      return { type, round, leaderId: next.leaderId, term: next.term };
    });
  return { state: next, effects, row };
}

/** Whether this node leads in that state. */
export function isLeaderState(name: StateName): boolean {
  return name.startsWith('Leader');
}

/** Whether a guard holds. Exported so that tests can go through the table row by row. */
export function guardHolds(guard: GuardName | undefined, state: MachineState, event: MachineEvent): boolean {
  switch (guard) {
    case undefined:
      return true;
    case 'newRound':
      return 'round' in event && event.round > state.lastRound;
    case 'thisRound':
      return 'round' in event && event.round === state.round;
    case 'thisLeader':
      return 'leaderId' in event && event.leaderId === state.leaderId && event.term === state.term;
    case 'leadershipChanged':
      return leadershipChanged(state, event);
  }
}

function leadershipChanged(state: MachineState, event: MachineEvent): boolean {
  if (event.type === 'leaderLost') return state.leaderId !== null;
  if (!('leaderId' in event)) return false;
  const leads = isLeaderState(state.name);
  if (leads !== (event.type === 'leadershipWon')) return true;
  return event.leaderId !== state.leaderId || event.term !== state.term;
}

function findRow(state: MachineState, event: MachineEvent): TransitionRow | undefined {
  const matching = TRANSITIONS.filter((row) => row.event === event.type && guardHolds(row.guard, state, event));
  return (
    matching.find((row) => row.from === state.name) ??
    (state.name === 'Nil' ? undefined : matching.find((row) => row.from === 'any'))
  );
}

function nextState(state: MachineState, event: MachineEvent, name: StateName): MachineState {
  switch (event.type) {
    case 'leadershipWon':
    case 'leaderFound':
      return { ...state, name, leaderId: event.leaderId, term: event.term, round: null };
    case 'leaderLost':
      return { ...state, name, leaderId: null, term: event.term, round: null };
    case 'shutdown':
      return { ...state, name, leaderId: null, round: null };
    case 'roundDue':
    case 'voteRequested':
    case 'finalReceived':
      return { ...state, name, round: event.round, lastRound: Math.max(state.lastRound, event.round) };
    default:
      return { ...state, name, round: name === 'LeaderRunning' || name === 'FollowerRunning' ? null : state.round };
  }
}

function isNeeded(type: EffectType, before: MachineState): boolean {
  if (type === 'dropRound') return before.round !== null;
  if (type === 'stepDown') return isLeaderState(before.name);
  return true;
}
