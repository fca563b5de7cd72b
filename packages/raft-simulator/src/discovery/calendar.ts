/** Unix seconds at which every simulation begins, and slot 0 with it. */
export const START_SECONDS = 1_800_000_000;
/** Short, so that one simulation has many rounds. */
export const SLOT_SECONDS = 12;
/** How far a voter's clock may be from a round's creation. */
export const TOLERANCE_SECONDS = 3;
/** How long a leader waits for votes. */
export const VOTE_SECONDS = 3;
/** An attested entry that is younger at creation may be missing. */
export const GRACE_SECONDS = SLOT_SECONDS;
/** A directory lives for so many slots. */
export const LIFETIME_SLOTS = 3;

/** Unix seconds at a moment of the simulation, by a clock that is right. */
export function secondsAt(worldMs: number): number {
  return START_SECONDS + worldMs / 1000;
}

/** Moment of the simulation at which a slot begins. */
export function slotStartMs(round: number): number {
  return round * SLOT_SECONDS * 1000;
}

/** Creation time of a slot's directory, Unix seconds. */
export function creationOf(round: number): number {
  return START_SECONDS + round * SLOT_SECONDS;
}

/** The slot that begins exactly at `creation`; undefined when none from 1 on does. */
export function roundOf(creation: number): number | undefined {
  const round = (creation - START_SECONDS) / SLOT_SECONDS;
  return Number.isInteger(round) && round >= 1 ? round : undefined;
}
