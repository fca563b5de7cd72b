/** When rounds are: slots of the wall clock. Source: DISCOVERY.md section 3. */
export interface SlotCalendar {
  /** Unix seconds at which slot 0 begins. */
  readonly genesisSeconds: number;
  /** Whole seconds, at least 1. */
  readonly slotSeconds: number;
}

/** A directory lives for this many slots after its creation. */
export const DIRECTORY_LIFETIME_SLOTS = 3;

/** The slot that `nowSeconds` falls into; may be negative before genesis. Rounds are the slots from 1. */
export function slotAt(calendar: SlotCalendar, nowSeconds: number): number {
  return Math.floor((nowSeconds - calendar.genesisSeconds) / calendar.slotSeconds);
}

/** Unix seconds at which a slot begins: the creation time of its directory. */
export function slotStart(calendar: SlotCalendar, round: number): number {
  return calendar.genesisSeconds + round * calendar.slotSeconds;
}

/** Unix seconds at which the directory of a slot expires. */
export function slotExpiration(calendar: SlotCalendar, round: number): number {
  return slotStart(calendar, round + DIRECTORY_LIFETIME_SLOTS);
}

/** The round whose creation time is exactly `creation`; undefined when no slot from 1 on begins then. */
export function roundOfCreation(calendar: SlotCalendar, creation: number): number | undefined {
  const round = slotAt(calendar, creation);
  return round >= 1 && slotStart(calendar, round) === creation ? round : undefined;
}
