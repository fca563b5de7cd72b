/**
 * A simulator that finds bugs in raft-core: whole clusters in virtual time, with faults, from one seed that replays.
 *
 * @packageDocumentation
 */
export { simulate, PHASES, type Phases, type SimulationResult } from './simulation.js';
export type { Violation } from './checkers/checker.js';
export { drawScenario, type Scenario } from './scenario/scenario.js';
