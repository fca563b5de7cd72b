/** Why a publish was not accepted, with the number that event 2009 carries. Numbers are never reused. */
export const PUBLISH_CODES = {
  accepted: 0,
  unsupportedVersion: 1,
  tooLarge: 2,
  malformed: 3,
  notAuthentic: 4,
  identityMismatch: 5,
  badFingerprint: 6,
  badHandshake: 7,
  badMode: 8,
  badAddress: 9,
  expired: 10,
  lifetimeTooLong: 11,
  notNewer: 12,
  rateLimited: 13,
  overloaded: 14,
  notRunning: 15,
  unconfirmed: 16,
  internal: 17,
} as const;

/** Name of a publish result. `unconfirmed`: accepted, but not seen in the shared list in time; publish again. */
export type PublishCode = keyof typeof PUBLISH_CODES;

const NAMES: ReadonlyMap<number, PublishCode> = new Map(
  Object.entries(PUBLISH_CODES).map(([name, code]) => [code, name as PublishCode]),
);

/** The name of a code of event 2009; undefined for one of a later version. */
export function publishCodeOf(code: number): PublishCode | undefined {
  return NAMES.get(code);
}
