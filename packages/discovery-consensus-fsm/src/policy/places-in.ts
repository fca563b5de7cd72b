import type { Steps } from '@discovery-raft/psp-envelope';

/** The place of what is not there. */
export const NOWHERE = -1;

/** What lies in the order of its identity. */
interface Named {
  readonly identity: string;
}

/**
 * Where an element is in a list, from a place on; of the first that comes behind it, when it is not there. To be asked when it is
 * not at `from`, where it mostly is: that is quicker to see than to ask. Where the order is another one than JavaScript's,
 * it may be missed.
 */
export function placeFrom<Element extends Named>(list: readonly Element[], element: Element, from: number): number {
  let place = from;
  while (place < list.length && list[place] !== element && list[place]!.identity <= element.identity) place++;
  return place;
}

/**
 * Where each element of a list stands in the list before, or {@link NOWHERE}. Both are in the order of their identities, each
 * with one element.
 *
 * @param perStep elements between two places where the work may be interrupted
 */
export function* placesIn<Element extends Named>(
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
