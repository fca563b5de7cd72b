import type { Relay, RelayTrace } from './relays.js';

/** How long an item holds that nothing ends earlier, seconds; above the day that is replayed. */
export const ITEM_LIFETIME_SECONDS = 28 * 3600;
/** Length of a slot in the demonstration, unless it is told another: the trace has about one line an hour. */
export const SLOT_SECONDS = 3600;
/** How long before the first round the relays begin to publish, as a share of a slot. */
const LEAD_SHARE = 5 / 6;
/** What is published later than this before a slot begins is meant for the next one. */
const SETTLE_SECONDS = 60;

/** One item that a relay is going to publish. Times are Unix seconds. */
export interface PlannedItem {
  readonly relay: Relay;
  readonly publishAt: number;
  readonly expiration: number;
}

/** What happens up to one round. */
export interface PlannedRound {
  /** Begin of the slot. */
  readonly at: number;
  /** In order of time. */
  readonly items: readonly PlannedItem[];
  /** How many items end before this round because their relays are gone. */
  readonly gone: number;
}

/** The whole day. */
export interface Plan {
  readonly slotSeconds: number;
  readonly startAt: number;
  readonly rounds: readonly PlannedRound[];
}

/**
 * Turns a trace into publishes. A relay knows its own future here: what it publishes expires when the trace says that it
 * is gone, so that leaving is an expiry, and a newer item of a relay always expires later than the one before, which is
 * what makes it newer.
 *
 * @param hours of churn after the first round
 * @param slotSeconds length of a slot, from 900; a whole part of an hour
 */
export function planDay(trace: RelayTrace, hours: number, slotSeconds = SLOT_SECONDS): Plan {
  const firstAt = trace.churn[0]?.at ?? 0;
  const firstRound = Math.floor(firstAt / slotSeconds) * slotSeconds;
  const startAt = firstRound - slotSeconds * LEAD_SHARE;
  const histories = historiesOf(trace, startAt);
  const items = [...histories.values()].flatMap((history) => plannedItems(history));
  items.sort((a, b) => a.publishAt - b.publishAt || (a.relay.fingerprint < b.relay.fingerprint ? -1 : 1));
  const goneAt = [...histories.values()].flatMap(({ gone }) => gone);
  const rounds = Array.from({ length: (hours * 3600) / slotSeconds + 1 }, (_, slot): PlannedRound => {
    const at = firstRound + slot * slotSeconds;
    const since = slot === 0 ? -Infinity : at - slotSeconds;
    const within = (time: number): boolean => time > since && time <= at;
    return {
      at,
      items: items.filter(({ publishAt }) => within(publishAt + SETTLE_SECONDS)),
      gone: goneAt.filter(within).length,
    };
  });
  return { slotSeconds, startAt, rounds };
}

/**
 * An item to try a new leader with, after the first round: one that its relay is about to publish anyway, or else a
 * refresh of a relay that the plan does not mention again.
 */
export function trialItem({ rounds: [first, ...later] }: Plan): PlannedItem {
  const next = later[0]?.items[0];
  if (next !== undefined) return next;
  const mentioned = new Set(later.flatMap(({ items }) => items.map(({ relay }) => relay.fingerprint)));
  const item = first!.items.find(({ relay }) => !mentioned.has(relay.fingerprint)) ?? first!.items[0]!;
  return { ...item, expiration: item.expiration + 1 };
}

interface History {
  readonly publishes: { readonly at: number; readonly relay: Relay }[];
  readonly gone: number[];
}

function historiesOf(trace: RelayTrace, startAt: number): Map<string, History> {
  const histories = new Map<string, History>();
  for (const relay of trace.relays) histories.set(relay.fingerprint, { publishes: [{ at: startAt, relay }], gone: [] });
  for (const { at, published, gone } of trace.churn) {
    const back = new Set(published.map(({ fingerprint }) => fingerprint));
    for (const fingerprint of gone) if (!back.has(fingerprint)) histories.get(fingerprint)?.gone.push(at);
    for (const relay of published) {
      const history = histories.get(relay.fingerprint) ?? { publishes: [], gone: [] };
      history.publishes.push({ at, relay });
      histories.set(relay.fingerprint, history);
    }
  }
  return histories;
}

function plannedItems({ publishes, gone }: History): PlannedItem[] {
  return publishes.map(({ at, relay }, i) => {
    const end = gone.find((time) => time > at);
    if (end === undefined) return { relay, publishAt: at, expiration: at + ITEM_LIFETIME_SECONDS };
    const laterOnes = publishes.filter((other, j) => j > i && other.at < end).length;
    return { relay, publishAt: at, expiration: end - laterOnes };
  });
}
