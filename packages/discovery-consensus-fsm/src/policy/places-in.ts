import type { Steps } from '@discovery-raft/psp-envelope';

/** The place of what is not there. */
export const NOWHERE = -1;

/**
 * Where each element of a list stands in the list before, or {@link NOWHERE}. Both are in the order of their identities, each
 * with one element.
 *
 * @param perStep elements between two places where the work may be interrupted
 */
export function* placesIn<Element extends { readonly identity: string }>(
  before: readonly Element[],
  now: readonly Element[],
  perStep: number,
): Steps<Int32Array> {
  const places = new Int32Array(now.length).fill(NOWHERE);
  let place = 0;
  let looked = 0;
  for (let at = 0; at < now.length && place < before.length;) {
    const element = now[at]!;
    const other = before[place]!;
    if (element === other) places[at++] = place++;
    else if (other.identity < element.identity) place++;
    else if (other.identity === element.identity) {
      at++;
      place++;
    } else at++;
    if (++looked % perStep === 0) yield;
  }
  return places;
}
