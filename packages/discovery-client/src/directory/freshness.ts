/** A directory of a round lives for this many slots (DISCOVERY.md, section 3). */
const LIFETIME_SLOTS = 3;

/** How old a directory is, and whether it should have been renewed. */
export interface Freshness {
  /** Since its creation; negative when the nodes' clocks are ahead. */
  readonly ageSeconds: number;
  /**
   * Rounds that should have given a newer one by now. From 1 on, either the network has trouble or somebody keeps the
   * newer ones from this client: which of the two, a client cannot know, only say.
   */
  readonly missedRounds: number;
}

/** The dates of a directory, Unix seconds. */
export interface DirectoryDates {
  readonly creation: number;
  readonly expiration: number;
}

/** The length of a slot, as the dates tell it; at least one second. */
export function slotSecondsOf({ creation, expiration }: DirectoryDates): number {
  return Math.max(1, (expiration - creation) / LIFETIME_SLOTS);
}

/** Unix seconds from which on the next round's directory is there if all is well: the slot and the vote are over. */
export function renewalDueAt(dates: DirectoryDates): number {
  const slot = slotSecondsOf(dates);
  return dates.creation + slot + graceSeconds(slot);
}

/** How fresh a directory is. @param atSeconds Unix seconds */
export function freshnessOf(dates: DirectoryDates, atSeconds: number): Freshness {
  const slot = slotSecondsOf(dates);
  const ageSeconds = atSeconds - dates.creation;
  return { ageSeconds, missedRounds: Math.max(0, Math.floor((ageSeconds - graceSeconds(slot)) / slot)) };
}

/** What a vote may take: a quarter of a slot, at most a minute, as nodes are set up by default. */
function graceSeconds(slotSeconds: number): number {
  return Math.min(60, slotSeconds / 4);
}
