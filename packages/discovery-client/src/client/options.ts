import type { EnvelopeLimits, QuorumRule, TrustRootDocument } from '@discovery-raft/psp-envelope';
import type { TrustRoot } from '@discovery-raft/psp-pki';
import type { Clock, Logger, Random } from '@discovery-raft/raft-core';
import { ClientError } from '../errors.js';
import type { ConnectNode, NodeAddress } from '../node/node-address.js';

/** What a `DiscoveryClient` takes. */
export interface DiscoveryClientOptions {
  /**
   * Whom this client believes: its own, never a server's. It finds the way to later versions by itself, each signed by a
   * quorum of the one before.
   */
  readonly root: TrustRoot | TrustRootDocument;
  /** Discovery nodes to ask over PSP. */
  readonly nodes?: readonly NodeAddress[];
  /** URLs of web servers or caches that have the directory. Together with `nodes`, at least one. */
  readonly mirrors?: readonly string[];
  /**
   * How often to ask for newer trust roots although nothing speaks for one. Default 3,600,000. 0: only when a directory is not
   * to be believed.
   */
  readonly rootsIntervalMs?: number;
  /** A file of this client's own, for the newest directory and the mark of it; the trust roots go beside it, into `PATH.roots`. Default: none, and nothing outlives it. */
  readonly cachePath?: string;
  /** Default `safe`. */
  readonly policy?: QuorumRule;
  /** Signatures that suffice, instead of the policy's quorum of the root's discovery nodes. */
  readonly requiredSignatures?: number;
  /** How far the nodes' clocks may be ahead. Default 30. */
  readonly clockToleranceSeconds?: number;
  /** Most bytes of a directory. Default 64 MiB. */
  readonly maxDirectoryBytes?: number;
  /** Bounds of messages. Default: the deployed ones. */
  readonly limits?: EnvelopeLimits;
  /** How long to wait for a source before the next one is asked too. Default 250. */
  readonly staggerMs?: number;
  /** How long to wait for something better than a stale or short directory. Default 1,000. */
  readonly newestWindowMs?: number;
  /** Sources that are asked at the same time; each may hold `maxDirectoryBytes`. Default 4. */
  readonly maxConcurrent?: number;
  /** How long a node's receipt for a publish is waited for. Default 15,000. */
  readonly receiptTimeoutMs?: number;
  /** How long to wait for a receipt before the next node gets the packet too. Default 2,000. */
  readonly publishStaggerMs?: number;
  /** Default: over TLS, anonymous, with the expected fingerprint. */
  readonly connect?: ConnectNode;
  /** For mirrors. Default: the platform's. */
  readonly fetch?: typeof fetch;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Order of the sources, and jitter. Default: the machine's. */
  readonly random?: Random;
  /** Default: silent. */
  readonly logger?: Logger;
}

/** @throws ClientError CLIENT_INVALID_OPTION */
export function checkOptions(options: DiscoveryClientOptions): void {
  const { root, nodes = [], mirrors = [], requiredSignatures } = options;
  if (nodes.length + mirrors.length === 0) invalid('nodes', 'at least one node or mirror is needed');
  if ('discoveryNodes' in root && root.discoveryNodes.size === 0)
    invalid('root', 'it names no discovery node, so nothing could be believed');
  if (requiredSignatures !== undefined && !(Number.isSafeInteger(requiredSignatures) && requiredSignatures >= 1)) {
    invalid('requiredSignatures', 'a whole number from 1');
  }
  const numbers = {
    clockToleranceSeconds: options.clockToleranceSeconds,
    maxDirectoryBytes: options.maxDirectoryBytes,
    rootsIntervalMs: options.rootsIntervalMs,
    staggerMs: options.staggerMs,
    newestWindowMs: options.newestWindowMs,
    maxConcurrent: options.maxConcurrent,
    receiptTimeoutMs: options.receiptTimeoutMs,
    publishStaggerMs: options.publishStaggerMs,
  };
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0)) invalid(name, 'a whole number from 0');
  }
  if (options.maxConcurrent === 0) invalid('maxConcurrent', 'at least 1');
  for (const { host, port } of nodes) {
    if (host === '' || !Number.isSafeInteger(port) || port < 1 || port > 65_535) invalid('nodes', `${host}:${port}`);
  }
  for (const mirror of mirrors) if (!/^(https?|file):\/\//i.test(mirror)) invalid('mirrors', mirror);
}

function invalid(option: string, why: string): never {
  throw new ClientError('CLIENT_INVALID_OPTION', `option ${option}: ${why}`, { option });
}
