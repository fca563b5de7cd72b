import type { VerdictPeriod } from '@discovery-raft/discovery-consensus-fsm';
import type { RootNode, TrustRootChain, TrustRootDocument } from '@discovery-raft/psp-envelope';
import { trustRootOf, type TrustRoot } from '@discovery-raft/psp-pki';
import type { VerifierRoots } from '../pki/verifier-roots.js';

interface Period extends VerdictPeriod {
  readonly root: TrustRoot;
}

/** What follows from a chain. */
interface Made {
  readonly chain: TrustRootChain;
  readonly periods: readonly Period[];
  readonly everyNode: TrustRoot;
}

/**
 * The roots of a chain for a `PkiVerifier`. Roots with the same authorities are one period, so its verdicts stay good; the
 * certificates of all their nodes are believed in it.
 */
export class ChainVerifierRoots implements VerifierRoots {
  readonly #chain: () => TrustRootChain;
  #made: Made;

  /** @param chain the present one; it only grows */
  constructor(chain: () => TrustRootChain) {
    this.#chain = chain;
    this.#made = make(chain(), []);
  }

  get version(): number {
    return this.#current.chain.newest.document.version;
  }

  get everyNode(): TrustRoot {
    return this.#current.everyNode;
  }

  at(unixSeconds: number): Period {
    const { periods } = this.#current;
    return periods.findLast(({ notBefore }) => notBefore <= unixSeconds) ?? periods[0]!;
  }

  get #current(): Made {
    const chain = this.#chain();
    if (this.#made.chain !== chain) this.#made = make(chain, this.#made.periods);
    return this.#made;
  }
}

/** @param before kept where they say the same, as verifiers remember certificates by their root */
function make(chain: TrustRootChain, before: readonly Period[]): Made {
  const documents = chain.roots.map(({ document }) => document);
  const runs: TrustRootDocument[][] = [];
  documents.forEach((document, i) => {
    if (i === 0 || !sameAuthorities(document, documents[i - 1]!)) runs.push([]);
    runs.at(-1)!.push(document);
  });
  const periods = runs.map((run, i) => ({
    root: rootOfRun(run, before[i]?.root),
    notBefore: run[0]!.activation,
    notAfter: (runs[i + 1]?.[0]!.activation ?? Number.MAX_SAFE_INTEGER) - 1,
  }));
  return { chain, periods, everyNode: trustRootOf({ ...chain.newest.document, nodes: nodesOf(documents) }) };
}

/** Nodes only ever join a run: as many are the same. */
function rootOfRun(run: readonly TrustRootDocument[], before: TrustRoot | undefined): TrustRoot {
  const nodes = nodesOf(run);
  return before?.discoveryNodes.size === nodes.length ? before : trustRootOf({ ...run[0]!, nodes });
}

/** Each node that any of the roots names. */
function nodesOf(documents: readonly TrustRootDocument[]): readonly RootNode[] {
  const nodes = documents.flatMap((document) => document.nodes.map((node) => [node.identity, node] as const));
  return [...new Map(nodes).values()];
}

function sameAuthorities(a: TrustRootDocument, b: TrustRootDocument): boolean {
  return a.threshold === b.threshold && a.authorities.join() === b.authorities.join();
}
