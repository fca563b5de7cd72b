import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { INITIAL_STATE, STATE_NAMES, TRANSITIONS, drawTransitions, isLeaderState, transition } from '../src/index.js';
import type {
  MachineEvent,
  MachineEventType,
  GuardName,
  MachineState,
  StateName,
  TransitionRow,
} from '../src/index.js';

const SELF = 'self';
const OTHER = 'other';

/** A state of that name, in term 3 and (where rounds are) in round 7. */
function stateOf(name: StateName): MachineState {
  const leaderId = isLeaderState(name) ? SELF : name === 'Nil' || name === 'Initializing' ? null : OTHER;
  const inRound = !['Nil', 'Initializing', 'LeaderRunning', 'FollowerRunning', 'FollowerVerifyLeader'].includes(name);
  return { name, leaderId, term: 3, round: inRound ? 7 : null, lastRound: 7 };
}

/** An event for which the row's guard holds in that state. */
function eventFor(row: TransitionRow, state: MachineState): MachineEvent {
  const round = row.guard === 'newRound' ? 8 : (state.round ?? 0);
  const leaderId =
    row.guard === 'thisLeader' ? (state.leaderId ?? OTHER) : row.event === 'leadershipWon' ? SELF : 'third';
  const term = row.guard === 'thisLeader' ? state.term : 4;
  return { type: row.event, round, leaderId, term };
}

const EVENT_TYPES = [...new Set(TRANSITIONS.map((row) => row.event))];

function fromStates(row: TransitionRow): StateName[] {
  if (row.from !== 'any') return [row.from];
  const needsLeader = row.event === 'leaderLost';
  return STATE_NAMES.filter((name) => name !== 'Nil' && !(needsLeader && stateOf(name).leaderId === null));
}

describe('the transition table, row by row', () => {
  const cases = TRANSITIONS.flatMap((row) =>
    fromStates(row).map((from) => ({ row, from, name: `${from} + ${row.event}` })),
  );

  test.each(cases)('$name', ({ row, from }) => {
    const state = stateOf(from);
    const result = transition(state, eventFor(row, state));
    expect(result.row).toBe(row);
    expect(result.state.name).toBe(row.to);
    const needed = row.effects.filter(
      (effect) => !(effect === 'dropRound' && state.round === null) && !(effect === 'stepDown' && !isLeaderState(from)),
    );
    expect(result.effects.map((effect) => effect.type)).toEqual(needed);
  });

  /** Facts of an event for which the guard does not hold. */
  const WRONG: Record<GuardName, (state: MachineState) => object> = {
    newRound: () => ({ round: 7 }),
    thisRound: () => ({ round: 6 }),
    thisLeader: (state) => ({ leaderId: 'third', term: state.term }),
    leadershipChanged: (state) => ({ leaderId: state.leaderId, term: state.term }),
  };
  // That a node leads can only be old news where it leads, and that another does only where it follows.
  const guarded = cases.filter(
    ({ row, from }) =>
      row.guard !== undefined && (row.event !== 'leadershipWon' || isLeaderState(from)) && canBeOldNews(row, from),
  );

  function canBeOldNews(row: TransitionRow, from: StateName): boolean {
    if (row.event === 'leaderFound') return !isLeaderState(from) && stateOf(from).leaderId !== null;
    return true;
  }

  test.each(guarded)('$name, guard does not hold', ({ row, from }) => {
    const state = stateOf(from);
    const known = row.event === 'leaderLost' ? { ...state, leaderId: null } : state;
    const event = { type: row.event, ...WRONG[row.guard!](known) } as MachineEvent;
    expect(transition(known, event)).toEqual({ state: known, effects: [], row: undefined });
  });

  test('every other event changes nothing', () => {
    for (const name of STATE_NAMES) {
      const expected = new Set<MachineEventType>(
        TRANSITIONS.filter((row) => row.from === name || (row.from === 'any' && name !== 'Nil')).map(
          (row) => row.event,
        ),
      );
      for (const type of EVENT_TYPES.filter((event) => !expected.has(event))) {
        const state = stateOf(name);
        const event = { type, round: 8, leaderId: OTHER, term: 9 } as MachineEvent;
        expect(transition(state, event).state).toBe(state);
      }
    }
  });

  test('every state can be entered and left', () => {
    for (const name of STATE_NAMES) {
      expect(TRANSITIONS.some((row) => row.to === name)).toBe(true);
      expect(TRANSITIONS.some((row) => row.from === name || row.from === 'any')).toBe(true);
    }
  });
});

describe('the machine', () => {
  const event = fc.record({
    type: fc.constantFrom(...EVENT_TYPES),
    round: fc.integer({ min: 1, max: 5 }),
    leaderId: fc.constantFrom(SELF, OTHER),
    term: fc.integer({ min: 1, max: 4 }),
  }) as fc.Arbitrary<MachineEvent>;

  test('keeps its invariants whatever happens', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let state = INITIAL_STATE;
        for (const next of events) {
          const before = state;
          const result = transition(state, next);
          state = result.state;
          expect(state.lastRound).toBeGreaterThanOrEqual(before.lastRound);
          if (state.name === 'Nil' || state.name === 'Initializing') expect(state.leaderId).toBeNull();
          if (state.name === 'FollowerRunning' || state.name === 'LeaderRunning') expect(state.round).toBeNull();
          if (state.round !== null && state.round !== before.round)
            expect(state.round).toBeGreaterThan(before.lastRound);
          if (isLeaderState(before.name) && !isLeaderState(state.name)) {
            expect(result.effects.map((effect) => effect.type)).toContain('stepDown');
          }
          if (before.round !== null && result.row?.from === 'any') {
            expect(result.effects).toContainEqual(expect.objectContaining({ type: 'dropRound', round: before.round }));
          }
        }
      }),
    );
  });

  test('a leader that wins again in a new term takes the list over again', () => {
    const state = { ...stateOf('LeaderConsensusCalc'), leaderId: SELF };
    const { state: next, effects } = transition(state, { type: 'leadershipWon', leaderId: SELF, term: 4 });
    expect(next).toMatchObject({ name: 'LeaderRunning', round: null, term: 4 });
    const types = ['dropRound', 'stepDown', 'holdPending', 'takeOverList', 'fetchDirectory'];
    expect(effects.map((effect) => effect.type)).toEqual(types);
  });

  test('the drawing in the README is the one of the table', () => {
    const readme = readFileSync(join(__dirname, '..', 'README.md'), 'utf8');
    expect(readme).toContain('```mermaid\n' + drawTransitions() + '```');
    for (const name of STATE_NAMES) expect(drawTransitions()).toContain(name);
  });
});
