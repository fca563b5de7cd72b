/**
 * A simulator that finds bugs in raft-core: whole clusters in virtual time, with faults, from one seed that replays.
 *
 * @packageDocumentation
 */
export { simulate, PHASES, type Phases, type SimulationResult } from './simulation.js';
export type { Violation } from './checkers/checker.js';
export { drawScenario, type Scenario } from './scenario/scenario.js';
export {
  runDiscoveryScenario,
  simulateDiscovery,
  type DiscoveryCounts,
  type DiscoveryResult,
} from './discovery/simulation.js';
export {
  drawDiscoveryScenario,
  liarsOf,
  NO_LIES,
  NO_MACHINE_FAULTS,
  type DiscoveryScenario,
  type LiePlan,
  type MachineFaults,
  type NodePlan,
  type OutsidePlan,
} from './discovery/scenario.js';
