import { ALARM_CODES, PUBLISH_CODES, REFUSAL_CODES } from '../refusals.js';
import type { AlarmCode, PublishCode, RefusalCode } from '../refusals.js';

/** The running counts of a node; `DiscoveryConsensus.counters` gives a copy. */
export class Tally {
  readonly publishes = zeros<PublishCode>(Object.keys(PUBLISH_CODES) as PublishCode[]);
  readonly refusals = zeros<RefusalCode>(REFUSAL_CODES);
  readonly alarms = zeros<AlarmCode>(ALARM_CODES);
  roundsEntered = 0;
  directoriesPublished = 0;
  votesYes = 0;
  votesNo = 0;
  votesNotReady = 0;
  sent = 0;
  sendFailures = 0;
}

function zeros<Code extends string>(codes: readonly Code[]): Record<Code, number> {
  return Object.fromEntries(codes.map((code) => [code, 0])) as Record<Code, number>;
}
