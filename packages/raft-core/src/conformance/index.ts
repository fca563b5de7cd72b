/**
 * Conformance suites: what each port promises, as checks that any test framework runs.
 *
 * @packageDocumentation
 */
export { ConformanceError, type ConformanceCheck } from './check.js';
export { logStoreConformance, type StoreConformanceOptions } from './log-store.js';
export { stableStoreConformance } from './stable-store.js';
export { snapshotStoreConformance } from './snapshot-store.js';
export { stateMachineConformance, type StateMachineConformanceOptions } from './state-machine.js';
export { transportConformance, type TransportPair } from './transport.js';
