import type { VerdictPeriod } from '../ports.js';

/**
 * Until when an attestation holds: as long as its packet, and no longer than the certificate that it was made with. So the list
 * takes one that its node makes anew, with a newer certificate, in place of it.
 *
 * @param expiration of the packet, Unix seconds
 * @param word the verdict on the attestation
 * @returns Unix seconds from which on it does not hold
 */
export function heldUntil(expiration: number, { notAfter }: Pick<VerdictPeriod, 'notAfter'>): number {
  return Math.min(expiration, notAfter + 1);
}

/** What is remembered of an earlier time, if it holds at this one as well. */
export function validAt<Verdict extends VerdictPeriod>(
  remembered: Verdict | undefined,
  unixSeconds: number,
): Verdict | undefined {
  if (remembered === undefined) return undefined;
  return remembered.notBefore <= unixSeconds && unixSeconds <= remembered.notAfter ? remembered : undefined;
}
