/**
 * Long work that can be interrupted: each `yield` is a place where it may be left for as long as one likes, or for good.
 * It knows nothing of time; whoever drives it decides what happens in between.
 */
export type Steps<Result> = Generator<undefined, Result, undefined>;

/** Does all of the work without interruption. */
export function runSteps<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
