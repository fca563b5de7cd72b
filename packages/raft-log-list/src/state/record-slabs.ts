/** Bytes of a slab. Whoever keeps a record that has left the list keeps its slab, so slabs are no larger. */
const SLAB_BYTES = 65_536;
/** A record above this has a slab of its own, so that no more than a quarter of any other is left over at its end. */
const MAX_SHARED_BYTES = SLAB_BYTES / 4;

/** Whose bytes lie in a slab. */
export interface Tenant {
  /** Its bytes are in this slab now, at this place; they are the same as before. */
  moveTo(slab: Slab, place: number): void;
}

/** A buffer that is filled from its beginning to its end, and then stays as it is. */
export class Slab {
  readonly bytes: Uint8Array;
  /** Of the same bytes. */
  readonly view: DataView;
  /** Where the bytes of each place end; the next one begins there. */
  readonly #ends: number[] = [];
  /** By place; undefined once it has left. */
  #tenants: (Tenant | undefined)[] = [];
  #aliveBytes = 0;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Where the bytes of a place begin, and where they end. */
  begin(place: number): number {
    return place === 0 ? 0 : this.#ends[place - 1]!;
  }

  end(place: number): number {
    return this.#ends[place]!;
  }

  get freeBytes(): number {
    return this.bytes.length - this.#usedBytes;
  }

  /** Whether less than half of what was put in is still needed. */
  get isSparse(): boolean {
    return this.#aliveBytes < this.#usedBytes / 2;
  }

  /** Gives the next bytes to a tenant, who writes them once. There is room. @returns their place */
  add(tenant: Tenant, bytes: number): number {
    this.#aliveBytes += bytes;
    this.#ends.push(this.#usedBytes + bytes);
    return this.#tenants.push(tenant) - 1;
  }

  /** The tenant needs its bytes no more. They stay, for whoever still reads them. */
  remove(place: number): void {
    this.#aliveBytes -= this.end(place) - this.begin(place);
    this.#tenants[place] = undefined;
  }

  /** Lets all tenants go. @returns them, with the places that they had */
  *leave(): Generator<{ readonly tenant: Tenant; readonly place: number }> {
    const tenants = this.#tenants;
    this.#tenants = [];
    this.#aliveBytes = 0;
    for (const [place, tenant] of tenants.entries()) if (tenant !== undefined) yield { tenant, place };
  }

  get #usedBytes(): number {
    return this.#ends.at(-1) ?? 0;
  }
}

/**
 * Where the bytes of the live records are: side by side in few large buffers, in place of one buffer a record. The memory of
 * a process takes ten times as long to give out a million small buffers in any order as a thousand, and each of them costs
 * as much as a small packet.
 *
 * A full slab of which less than half lives is left: its live records move to the slab that is being filled. So the slabs
 * hold at most about twice the bytes of the live records, 1.4 times when they are replaced at random, and each byte is
 * moved once, on average. What has left the list, and may still be in a view, keeps the slab where it was.
 */
export class RecordSlabs {
  #filling = new Slab(0);

  /** Finds room for a new tenant and tells it where; it has to write its bytes then. */
  add(tenant: Tenant, bytes: number): void {
    const slab = bytes > MAX_SHARED_BYTES ? new Slab(bytes) : this.#slabFor(bytes);
    tenant.moveTo(slab, slab.add(tenant, bytes));
  }

  /** A tenant at this place has left the list. */
  remove(slab: Slab, place: number): void {
    slab.remove(place);
    if (slab !== this.#filling && slab.isSparse) this.#clear(slab);
  }

  #slabFor(bytes: number): Slab {
    if (this.#filling.freeBytes < bytes) {
      const full = this.#filling;
      this.#filling = new Slab(SLAB_BYTES);
      if (full.isSparse) this.#clear(full);
    }
    return this.#filling;
  }

  #clear(slab: Slab): void {
    for (const { tenant, place } of slab.leave()) {
      const [begin, end] = [slab.begin(place), slab.end(place)];
      const target = this.#slabFor(end - begin);
      const moved = target.add(tenant, end - begin);
      target.bytes.set(slab.bytes.subarray(begin, end), target.begin(moved));
      tenant.moveTo(target, moved);
    }
  }
}
