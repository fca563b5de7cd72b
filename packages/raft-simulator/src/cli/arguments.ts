/** What the command line asks for. */
export interface SimArguments {
  readonly seeds: number;
  readonly start: number;
  /** One JSON object on standard output, instead of text. */
  readonly json: boolean;
  /** Print the trace of this one seed. */
  readonly trace: number | null;
  /** Go on after a violation. */
  readonly keepGoing: boolean;
}

export const USAGE = `npm run sim -- [--seeds N] [--start S] [--json] [--keep-going]
npm run sim -- --trace SEED

  --seeds N      how many seeds to run (100)
  --start S      the first seed (1)
  --json         one JSON object on standard output
  --keep-going   do not stop at the first violation
  --trace SEED   run one seed and print everything that happens in it

Exit code: 0 all is well, 10 a safety rule was broken, 11 a liveness rule was broken, 2 a wrong argument.
`;

/** Reads the command line. @returns a message when it cannot be understood */
export function parseArguments(argv: readonly string[]): SimArguments | string {
  let seeds = 100;
  let start = 1;
  let json = false;
  let keepGoing = false;
  let trace: number | null = null;
  for (let i = 0; i < argv.length; i++) {
    const name = argv[i]!;
    if (name === '--json') json = true;
    else if (name === '--keep-going') keepGoing = true;
    else if (name === '--seeds' || name === '--start' || name === '--trace') {
      const value = Number(argv[++i]);
      if (!Number.isSafeInteger(value) || value < 0 || (name === '--seeds' && value === 0)) {
        return `${name} takes a whole number`;
      }
      if (name === '--seeds') seeds = value;
      else if (name === '--start') start = value;
      else trace = value;
    } else return `there is no option ${name}`;
  }
  return { seeds, start, json, trace, keepGoing };
}
