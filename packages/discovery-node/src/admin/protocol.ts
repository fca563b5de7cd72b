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
export const MAX_REQUEST_BYTES = 262_144;
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
const base64 = z.base64().max(200_000);

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
  'root.get': nothing,
  /** `root` is the encoded trust root. */
  'root.sign': z.strictObject({ root: base64 }),
  /** `signed` is the encoded `SignedTrustRoot`. */
  'root.publish': z.strictObject({ signed: base64 }),
  'keys.reload': nothing,
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

/** Why a trust root is not signed or not taken. */
export interface RefusedRoot {
  readonly ok: false;
  readonly code: string;
  readonly detail: string;
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
  readonly 'root.get': {
    /** The first root, encoded; base64. */
    readonly first: string;
    /** Those after it, as event 2013 carries them; base64. */
    readonly roots: string;
    /** The nodes of the newest root, and where they are; null where nobody says. */
    readonly nodes: readonly {
      readonly identity: string;
      readonly endpoint: { readonly fingerprint: string; readonly host: string; readonly port: number } | null;
    }[];
    /** Unix seconds. */
    readonly now: number;
    readonly genesisSeconds: number;
    readonly slotSeconds: number;
    /** The root that this node signed last. */
    readonly signed: { readonly version: number; readonly activation: number } | null;
  };
  readonly 'root.sign':
    | RefusedRoot
    | {
        readonly ok: true;
        readonly version: number;
        /** Unix seconds. */
        readonly activation: number;
        /** `DiscoverySignature`, base64. */
        readonly signature: string;
      };
  readonly 'root.publish':
    | RefusedRoot
    | {
        readonly ok: true;
        readonly version: number;
        /** Unix seconds. */
        readonly activation: number;
        /** False when it was known already. */
        readonly isNew: boolean;
      };
  readonly 'keys.reload': { readonly fingerprint: string; readonly signsUntil: number };
  readonly snapshot: { readonly id: string; readonly index: number; readonly bytes: number };
  readonly metrics: { readonly text: string };
  readonly 'clock.get': { readonly unixSeconds: number; readonly manual: boolean };
  readonly 'clock.set': { readonly unixSeconds: number };
  readonly stop: { readonly stopping: true };
}
