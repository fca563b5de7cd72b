import type { DiscoveryDirectory, SignedTrustRoot } from '@discovery-raft/protocol';

/** What a source is asked. */
export interface PullRequest {
  /** Creation of the directory that the client has, Unix seconds; 0 for none. A source may ignore it. */
  readonly newerThan: number;
  /** Fires when the answer is not wanted any more: the source then lets go of what it holds and rejects. */
  readonly signal: AbortSignal;
}

/** What a source is asked for trust roots. */
export interface RootsRequest {
  /** Version of the newest root that the client has. */
  readonly newerThan: number;
  readonly signal: AbortSignal;
}

/** Where directories come from: a node, a web server, a file. Nothing of what it gives is trusted. */
export interface DirectorySource {
  /** For people: `host:port`, URL or path. */
  readonly name: string;
  /** @returns null when the source says that it has nothing newer. @throws anything; it counts as that source's answer */
  pull(request: PullRequest): Promise<DiscoveryDirectory | null>;
  /** Signed trust roots behind the client's, some or all. Left out by sources that have none. @throws anything, as `pull` */
  pullRoots?(request: RootsRequest): Promise<readonly SignedTrustRoot[]>;
}
