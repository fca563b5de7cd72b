/** What a node of the durable cluster needs to begin. */
export interface NodePlan {
  readonly index: number;
  /** Folder of its stores. */
  readonly folder: string;
  /** Its link credentials as PEM: key material, of this run only. */
  readonly credentials: string;
  readonly nodes: readonly { readonly id: string; readonly fingerprint: string }[];
  /** Seed of the keys that it signs its packets with, hex: key material, of this run only. Null for unsigned ones. */
  readonly signingSeed: string | null;
}

/** Proposals that the leader makes: so many at once, for so long. */
export interface Load {
  readonly inFlight: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** What a load gave. */
export interface LoadResult {
  readonly commits: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** From the benchmark to a node. */
export type ToNode =
  | { readonly type: 'open'; readonly plan: NodePlan }
  | { readonly type: 'join'; readonly ports: readonly number[] }
  | { readonly type: 'load'; readonly load: Load }
  | { readonly type: 'stop' };

/** From a node to the benchmark. */
export type FromNode =
  | { readonly type: 'opened'; readonly port: number }
  | { readonly type: 'leads' }
  | { readonly type: 'loaded'; readonly result: LoadResult }
  | { readonly type: 'stopped' }
  | { readonly type: 'failed'; readonly message: string };
