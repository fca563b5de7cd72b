/**
 * Raft for TypeScript: a deterministic core that does no I/O, and a runtime with the API of hashicorp/raft.
 *
 * @packageDocumentation
 */
export * from './core/types.js';
export * from './core/rpc.js';
export * from './core/errors.js';
export type * from './ports/transport.js';
export type * from './ports/log-store.js';
export type * from './ports/stable-store.js';
export type * from './ports/snapshot-store.js';
export type * from './ports/state-machine.js';
export type * from './ports/clock.js';
export type * from './ports/random.js';
export * from './ports/logger.js';
export { systemClock } from './clock/system-clock.js';
export { SimulatedClock } from './clock/simulated-clock.js';
export { seededRandom, systemRandom } from './clock/seeded-random.js';
