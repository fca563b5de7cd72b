/**
 * The consensus of discovery nodes: thirteen states, voting rounds in slots of the wall clock, and a directory that a
 * quorum has signed. Pure rules at the core; `DiscoveryConsensus` drives them through ports.
 *
 * @packageDocumentation
 */
export * from './machine/states.js';
export * from './machine/transitions.js';
export * from './machine/transition.js';
export * from './machine/draw-transitions.js';
export * from './policy/thresholds.js';
export * from './policy/judgement.js';
export * from './policy/state-verdict.js';
export { rosterAt, type Committee, type Roster } from './policy/committee.js';
export type { PromiseFacts, PromiseRefusal } from './policy/root-promise.js';
export * from './policy/slots.js';
export {
  buildListing,
  buildListingSteps,
  type BuiltListing,
  type ListedItem,
  type ListingHeader,
  type ListingInput,
  type ListingMemory,
} from './policy/listing.js';
export type { EntryColumns } from './policy/entry-choice.js';
export type { WrittenListing } from './policy/listing-bytes.js';
export { itemFault, lifetimeFault, type ItemFault } from './policy/item-rules.js';
export * from './policy/request-check.js';
export * from './errors.js';
export {
  ALARM_CODES,
  PUBLISH_CODES,
  REFUSAL_CODES,
  type AlarmCode,
  type ConsensusCounters,
  type Handled,
  type LeaderFault,
  type PublishCode,
  type PublishOutcome,
  type RefusalCode,
} from './refusals.js';
export * from './config.js';
export type * from './messages.js';
export type * from './ports.js';
export type * from './operations.js';
export type * from './events.js';
export type { ConsensusPorts } from './runtime/context.js';
export type { RootSigningResult } from './runtime/signing-ledger.js';
export type { StateAt, StateClaim, StateDivergence } from './runtime/state-watch.js';
export { listReader, type ListCompleteness } from './list-reader.js';
export { listLeader } from './list-leader.js';
export { MemoryDirectoryStore } from './memory-directory-store.js';
export { DiscoveryConsensus } from './runtime/discovery-consensus.js';
