import type { NodeStatus } from '../node/node-status.js';
import { z } from 'zod';

/*
 * The admin protocol: one JSON object a line, over a Unix domain socket of mode 0600.
 *
 *   {"id":1,"method":"status","params":{}}
 *   {"id":1,"result":{...}}                       or
 *   {"id":1,"error":{"code":"RAFT_NOT_LEADER","message":"...","retryable":true,"details":{...}}}
 *
 * Answers come in any order. A line that is no request is answered with id null, and ends the connection.
 */

/** Longest line of a request, bytes. */
export const MAX_REQUEST_BYTES = 65_536;
/** Longest line of an answer that a client takes, bytes. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Most records in one page of the list. */
export const MAX_PAGE = 2000;

/** Codes of errors that the protocol itself has; others are those of RaftError, ConsensusError and NodeError. */
export const ADMIN_CODES = [
  /** The line is no request. */
  'ADMIN_MALFORMED',
  'ADMIN_TOO_LARGE',
  'ADMIN_UNKNOWN_METHOD',
  /** `details.problems` says what is wrong with the parameters. */
  'ADMIN_INVALID_PARAMS',
  /** This node was not started in the way that the method needs. */
  'ADMIN_NOT_ALLOWED',
  /** It did not happen within the time asked for. */
  'ADMIN_TIMEOUT',
  /** Too many requests at once on this connection. */
  'ADMIN_OVERLOADED',
  /** The node is stopping. */
  'ADMIN_STOPPING',
  /** A bug; the log has more. */
  'ADMIN_FAILED',
] as const;

/** What went wrong with a request. */
export interface AdminErrorBody {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

const identity = z.string().min(1).max(255);
const timeoutMs = z.int().min(1).max(3_600_000).default(30_000);
const nothing = z.strictObject({});

/** Parameters of each method. */
export const adminParams = {
  status: nothing,
  list: z.strictObject({
    /** Only identities behind this one. */
    after: identity.optional(),
    limit: z.int().min(1).max(MAX_PAGE).default(500),
    /** Only this identity. */
    identity: identity.optional(),
  }),
  round: z.strictObject({
    /** Begin the round of the present slot; false: only wait for the next one to end. */
    begin: z.boolean().default(true),
    wait: z.boolean().default(true),
    timeoutMs,
  }),
  transfer: z.strictObject({ target: identity.optional(), timeoutMs }),
  'members.list': nothing,
  'members.add': z.strictObject({ identity, voter: z.boolean().default(false), timeoutMs }),
  'members.remove': z.strictObject({ identity, timeoutMs }),
  'members.promote': z.strictObject({ identity, timeoutMs }),
  'members.demote': z.strictObject({ identity, timeoutMs }),
  snapshot: nothing,
  metrics: nothing,
  'clock.get': nothing,
  'clock.set': z.strictObject({ unixSeconds: z.number().min(0).max(1e11) }),
  stop: nothing,
} as const satisfies Record<string, z.ZodType>;

/** Name of a method. */
export type AdminMethod = keyof typeof adminParams;
/** Parameters as a caller gives them. */
export type AdminParams<M extends AdminMethod> = z.input<(typeof adminParams)[M]>;
/** Parameters with their defaults. */
export type CompleteParams<M extends AdminMethod> = z.output<(typeof adminParams)[M]>;

/** One record of the shared list. */
export interface ListedItem {
  readonly identity: string;
  /** Unix seconds. */
  readonly expiration: number;
  readonly mode: string;
  readonly address: readonly string[];
  readonly attesters: readonly string[];
}

/** A server of the Raft configuration. */
export interface ListedServer {
  readonly id: string;
  readonly suffrage: string;
  /** Whether this node's configuration file names it. */
  readonly configured: boolean;
  /** Where that file says it is. */
  readonly address: string | null;
}

/** What a node and its process say of themselves. */
export interface StatusReport extends NodeStatus {
  readonly process: {
    readonly name: string | null;
    readonly version: string;
    readonly pid: number;
    /** Unix seconds by the machine's clock. */
    readonly startedAt: number;
    readonly uptimeSeconds: number;
    readonly rssBytes: number;
    readonly peakRssBytes: number;
    readonly fingerprint: string;
    readonly listen: { readonly host: string; readonly port: number };
    readonly http: { readonly host: string; readonly port: number } | null;
    readonly manualClock: boolean;
    /** Whether it takes part: it knows a leader, and has what is needed to serve. */
    readonly ready: boolean;
    readonly notReadyBecause: readonly string[];
  };
  readonly rounds: {
    /** The present slot. */
    readonly slot: number;
    /** Unix seconds at which the next one begins. */
    readonly nextAt: number;
    /** How the last round ended here; null before the first. */
    readonly last: RoundReport | null;
  };
  readonly links: readonly { readonly peer: string; readonly address: string; readonly state: string }[];
  readonly storeBytes: number;
}

/** How a round ended at a node. */
export interface RoundReport {
  readonly round: number;
  readonly published: boolean;
  readonly signatures: number;
  readonly items: number;
  /** Why there is no directory; empty when there is. */
  readonly reason: string;
}

/** What each method answers. */
export interface AdminResults {
  readonly status: StatusReport;
  readonly list: { readonly items: readonly ListedItem[]; readonly next: string | null; readonly index: number };
  readonly round: { readonly round: number | null; readonly ended: RoundReport | null };
  readonly transfer: { readonly leaderId: string | null };
  readonly 'members.list': { readonly index: number; readonly servers: readonly ListedServer[] };
  readonly 'members.add': { readonly index: number };
  readonly 'members.remove': { readonly index: number };
  readonly 'members.promote': { readonly index: number };
  readonly 'members.demote': { readonly index: number };
  readonly snapshot: { readonly id: string; readonly index: number; readonly bytes: number };
  readonly metrics: { readonly text: string };
  readonly 'clock.get': { readonly unixSeconds: number; readonly manual: boolean };
  readonly 'clock.set': { readonly unixSeconds: number };
  readonly stop: { readonly stopping: true };
}
