import type { ListedRecord, ListedView } from '../ports.js';
import type { Context } from './context.js';

/** Of `recordsPerSlice`: each of these may cost hashes and lookups, where a walk over the list mostly has none to make. */
const SHARE_OF_SLICE = 1 / 8;

/** How long a list is left alone that grows faster than it can be looked at, seconds. */
const HOLD_SECONDS = 0.25;
/** So often; then it is looked at all the same. */
const MAX_HOLDS = 40;

/**
 * Records that have come into the list and have to be looked at. A few are looked at as they come; of a whole list, such as
 * a node replays when it starts, none as long as more come than can be looked at (the list is to be there first),
 * then no more in one turn than leaves room for everything else, and none that has left the list again by then, unless this
 * node attested it: it answers for that, and whoever led may have taken it out.
 */
export class Newcomers {
  readonly #context: Context;
  readonly #look: (record: ListedRecord) => void;
  /** Records, and whole views, in the order in which they came. */
  #waiting: Iterator<ListedRecord>[] = [];
  #late: ListedRecord[] = [];
  /** How many both are. */
  #pending = 0;
  readonly #perTurn: number;
  /** Of this turn. None before the first: what comes first may be the begin of a log that is replayed. */
  #left = 0;
  #resting = false;
  /** Records that came since the last turn. */
  #came = 0;
  #holds = 0;
  #closed = false;

  /** @param look must not throw */
  constructor(context: Context, look: (record: ListedRecord) => void) {
    this.#context = context;
    this.#look = look;
    this.#perTurn = Math.ceil(context.config.recordsPerSlice * SHARE_OF_SLICE);
  }

  /** Records that were not looked at yet; those that have left the list by now are among them. */
  get pending(): number {
    return this.#pending;
  }

  /** A record came into the list. */
  add(record: ListedRecord): void {
    if (this.#closed) return;
    this.#came++;
    if (this.#left > 0 && this.#waiting.length === 0 && this.#late.length === 0) {
      this.#left--;
      this.#look(record);
    } else {
      this.#late.push(record);
      this.#pending++;
    }
    this.#rest();
  }

  /** The list is another one now: all of it is new, and what waited is of no more interest. */
  addAll(view: ListedView): void {
    if (this.#closed) return;
    this.#late = [];
    this.#waiting = [view.entries()[Symbol.iterator]()];
    this.#pending = view.size;
    this.#came += view.size;
    this.#rest();
  }

  /** Looks at nothing any more. */
  close(): void {
    this.#closed = true;
    this.#late = [];
    this.#waiting = [];
    this.#pending = 0;
  }

  /** Begins a new turn when all else has had one. */
  #rest(): void {
    const { yieldNow } = this.#context.ports;
    if (yieldNow === undefined) {
      do {
        this.#left = this.#perTurn;
        this.#work();
      } while (this.#waiting.length + this.#late.length > 0);
      return;
    }
    if (this.#resting) return;
    this.#resting = true;
    void yieldNow().then(() => this.#turn());
  }

  #turn(): void {
    const isFlooded = this.#came > this.#perTurn;
    this.#came = 0;
    if (isFlooded && !this.#closed && this.#holds++ < MAX_HOLDS) {
      this.#context.time.setTimer(HOLD_SECONDS, () => this.#turn());
      return;
    }
    this.#holds = 0;
    this.#resting = false;
    this.#left = this.#perTurn;
    this.#work();
    if (this.#waiting.length + this.#late.length > 0) this.#rest();
  }

  #work(): void {
    while (this.#left > 0 && this.#waiting.length + this.#late.length > 0) {
      const [first] = this.#waiting;
      if (first === undefined) {
        this.#waiting.push(this.#late[Symbol.iterator]());
        this.#late = [];
        continue;
      }
      const next = first.next();
      if (next.done === true) this.#waiting.shift();
      else {
        this.#pending--;
        this.#lookLate(next.value);
      }
    }
  }

  #lookLate(record: ListedRecord): void {
    // Passing over what has left costs next to nothing.
    if (!record.isLive && !this.#isOwn(record)) return;
    this.#left--;
    this.#look(record);
  }

  #isOwn({ attesters, expiration }: ListedRecord): boolean {
    const { self, time } = this.#context;
    return attesters.includes(self) && expiration > time.wallNow();
  }
}
