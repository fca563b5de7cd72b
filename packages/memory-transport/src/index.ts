/**
 * Raft transports in memory: one per peer, whose outgoing RPCs somebody else carries, and a network of them with faults.
 *
 * @packageDocumentation
 */
export { MemoryTransport, type MemoryTransportOptions, type PeerListener } from './memory-transport.js';
export type { PeerTransport, PeerLimits } from './peer-transport.js';
export type { OutgoingRpc } from './outgoing-rpc.js';
export type { RpcStream } from './rpc-stream.js';
export { rpcSize } from './rpc-size.js';
export { MemoryNetwork, type MemoryNetworkOptions, type NetworkStats } from './network/memory-network.js';
export { NO_FAULTS, type LinkFaults } from './network/faults.js';
