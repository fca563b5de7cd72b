import type { ListedAttestation, ListedRecord } from '../ports.js';

/** The attestation of a member that a record carries; the others' are not decoded for nothing when it has none. */
export function listedWord(record: ListedRecord, member: string): ListedAttestation | undefined {
  const at = record.attesters.indexOf(member);
  return at < 0 ? undefined : record.attestations[at];
}
