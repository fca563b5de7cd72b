import type { PolicyName } from '@discovery-raft/discovery-consensus-fsm';
import { parseArguments, type SimArguments } from '../../cli/arguments.js';

/** What the command line asks for. */
export interface DiscoverySimArguments extends SimArguments {
  readonly policy: PolicyName;
}

export const USAGE = `npm run sim:discovery -- [--seeds N] [--start S] [--policy safe|documented] [--json] [--keep-going]
npm run sim:discovery -- --trace SEED [--policy safe|documented]

  --seeds N      how many seeds to run (100)
  --start S      the first seed (1)
  --policy P     the thresholds: safe (the default) or documented, whose two holes are found within a few seeds
  --json         one JSON object on standard output
  --keep-going   do not stop at the first violation
  --trace SEED   run one seed and print everything that happens in it

Exit code: 0 all is well, 10 a safety rule was broken, 11 a liveness rule was broken, 2 a wrong argument.
`;

/** Reads the command line. @returns a message when it cannot be understood */
export function parseDiscoveryArguments(argv: readonly string[]): DiscoverySimArguments | string {
  const at = argv.indexOf('--policy');
  if (at < 0) return withPolicy(parseArguments(argv), 'safe');
  const policy = argv[at + 1];
  if (policy !== 'safe' && policy !== 'documented') return '--policy takes safe or documented';
  return withPolicy(parseArguments(argv.toSpliced(at, 2)), policy);
}

function withPolicy(parsed: SimArguments | string, policy: PolicyName): DiscoverySimArguments | string {
  return typeof parsed === 'string' ? parsed : { ...parsed, policy };
}
