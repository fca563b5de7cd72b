import type { LinkErrorCode } from '../errors.js';

/** What a keeper does about a peer. Times are those of its clock: monotonic milliseconds. */
export type LinkState = {
  /** Why the last attempt failed, or the last link broke; null when neither has happened, or it ended in order. */
  readonly lastError: LinkErrorCode | null;
  /** Attempts in a row that came to nothing, or to a link that broke soon. */
  readonly failures: number;
} & (
  | { readonly status: 'connecting'; readonly since: number }
  | { readonly status: 'up'; readonly since: number; readonly initiator: boolean }
  /** The peer may dial in the meantime. */
  | { readonly status: 'backoff'; readonly until: number }
);

/** What a keeper has counted. Plain data. */
export interface KeeperCounters {
  /** Attempts to dial. */
  dialled: number;
  /** Connections that peers opened. */
  accepted: number;
  /** Links that came up. */
  linked: number;
  /** Links that another took the place of. */
  replaced: number;
  /** Connections that lost against a link which was there. */
  surplus: number;
  /** Attempts that failed and links that broke, and connections of strangers, by code. */
  failed: Partial<Record<LinkErrorCode, number>>;
}
