/**
 * A message of the discovery protocol, typed; the composition encodes and decodes it (events 2001 to 2011). Source:
 * WIRE.md section 2.
 */
export type { DiscoveryMessage } from '@discovery-raft/psp-envelope';
