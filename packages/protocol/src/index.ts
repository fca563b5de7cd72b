/**
 * Generated protobuf-es types and schemas. Nothing here is written by hand: see `proto/` at the top of the repository.
 *
 * - everything of `protocol/discovery.proto` (the deployed messages of the PSP discovery protocol) by its own name;
 * - everything of `raft/v1/raft.proto` (payloads of Raft's RPCs) under `raftv1`.
 *
 * @packageDocumentation
 */
export * from './gen/protocol/discovery_pb.js';
export * as raftv1 from './gen/raft/v1/raft_pb.js';
