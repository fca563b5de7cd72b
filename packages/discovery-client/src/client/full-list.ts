import type { Freshness } from '../directory/freshness.js';
import type { VerifiedDirectory } from '../directory/verify-directory.js';
import type { SourceAnswer } from '../errors.js';

/** What `getFullList` gives. Its freshness is that of the moment of the answer. */
export interface FullList extends Freshness {
  readonly directory: VerifiedDirectory;
  /** The bytes of it, for `verifyDirectory` of somebody else, a file or a web server: a `DiscoveryDirectory`. */
  readonly encoded: Uint8Array;
  /** Who gave it: a node, a mirror, or `cache` for the file of an earlier life. */
  readonly source: string;
  /** What was said when the network was asked last; empty when it was not asked. */
  readonly answers: readonly SourceAnswer[];
}
