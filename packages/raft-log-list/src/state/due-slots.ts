const NEVER = Infinity;

/**
 * From when on each slot has something that may have to go. A walk over all of them takes a millisecond for a million, so no
 * order is kept.
 */
export class DueSlots {
  #dates = new Float64Array(256).fill(NEVER);

  /** @param date Unix seconds from which on the slot is due; undefined when it is empty */
  set(slot: number, date: number | undefined): void {
    if (slot >= this.#dates.length) {
      const more = new Float64Array(Math.max(slot + 1, this.#dates.length * 2)).fill(NEVER);
      more.set(this.#dates);
      this.#dates = more;
    }
    this.#dates[slot] = date ?? NEVER;
  }

  /** The slots that are due at that Unix second, in no particular order. */
  by(nowSeconds: number): number[] {
    const due: number[] = [];
    const dates = this.#dates;
    for (let slot = 0; slot < dates.length; slot++) if (dates[slot]! <= nowSeconds) due.push(slot);
    return due;
  }
}
