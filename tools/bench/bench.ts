/** What a benchmark found: its own figure, and that of something else measured beside it in the same run. */
export interface Measurement {
  readonly value: number;
  /** In the same unit. Left out when nothing was measured beside it. */
  readonly baseline?: number | undefined;
}

/** How long and how often a benchmark measures. */
export interface Effort {
  /** Seconds that one repeat measures; at least 0.05. */
  readonly seconds: number;
  /** Repeats, of which the median counts; at least 1. */
  readonly repeats: number;
}

/** What the runner gives to a benchmark. */
export interface BenchContext {
  readonly effort: Effort;
  /** Says on standard error what is going on; standard output belongs to the results. */
  readonly progress: (text: string) => void;
}

/** One figure. A file below `suite/` exports an array of them as its default. */
export interface Bench {
  /** Lower case, parts joined by `/`, for instance `ed25519/verify`; `--only ed25519` runs all that begin so. */
  readonly name: string;
  /** Left out of a run that does not ask for it by `--full` or by its whole name. Default false. */
  readonly onlyInFull?: boolean;
  /** Unit of the value, for instance `op/s`, `ms`, `MiB`. */
  readonly unit: string;
  run(context: BenchContext): Promise<Measurement>;
}
