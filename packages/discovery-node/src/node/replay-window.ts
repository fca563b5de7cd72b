/** How far behind the highest id one may still arrive: two lanes of a link overtake each other. */
const WINDOW_IDS = 4096;

/**
 * Which packet ids of one connection were seen (WIRE.md, section 6). Ids grow, but not strictly: a snapshot's packets
 * travel beside the others. An id that lies a window behind the highest counts as seen.
 */
export class ReplayWindow {
  #highest = 0;
  #seen = new Set<number>();

  /** Whether this id was seen, or lies too far back to tell. */
  has(id: number): boolean {
    return id <= this.#highest - WINDOW_IDS || this.#seen.has(id);
  }

  /** Whether this id is new; from then on it is not. */
  take(id: number): boolean {
    if (this.has(id)) return false;
    this.#highest = Math.max(this.#highest, id);
    this.#seen.add(id);
    if (this.#seen.size > 2 * WINDOW_IDS) this.#prune();
    return true;
  }

  #prune(): void {
    const floor = this.#highest - WINDOW_IDS;
    this.#seen = new Set([...this.#seen].filter((id) => id > floor));
  }
}
