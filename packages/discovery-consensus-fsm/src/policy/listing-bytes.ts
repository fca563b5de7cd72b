import {
  listedItemBytes,
  ListingWriter,
  subNamespaceOf,
  SubNamespaces,
  type Allocate,
  type Steps,
} from '@discovery-raft/psp-envelope';
import type { ListingHeader } from './listing.js';
import type { JudgedEntry } from './judgement.js';
import { NOWHERE, placesIn } from './places-in.js';

/** A listing that was written, and what is in it where. The next one is mostly the same, so that it is copied from this one. */
export interface WrittenListing {
  /** `DiscoveryListing` bytes. Must stay as they are. */
  readonly bytes: Uint8Array;
  /** What is listed, in order. */
  readonly listed: readonly JudgedEntry[];
  /** Bytes of each item. */
  readonly lengths: Uint32Array;
  /** Where the bytes of each item begin. */
  readonly begins: Uint32Array;
  /** Sub-namespaces of identities; some may be of no item. */
  readonly subNamespaces: readonly string[];
  /** For each item, where the sub-namespace of its identity stands there. */
  readonly kinds: Uint32Array;
}

const NO_BYTES = new Uint8Array(0);

/**
 * Writes a listing. Entries that are in the one before, the same objects, are copied from there, as many at once as follow one
 * another in both: what an entry says never changes, and one copy of megabytes costs less than looking up where each item is.
 * The others are asked for their items as they are written, so that the items are not all in memory a second time.
 *
 * @param listed in the order of their identities; each has an item
 * @param perStep entries between two places where the work may be interrupted
 * @param allocate memory for the bytes; by default a new `Uint8Array`
 */
export function* listingSteps(
  listed: readonly JudgedEntry[],
  header: ListingHeader,
  previous: WrittenListing | undefined,
  perStep: number,
  allocate?: Allocate,
): Steps<WrittenListing> {
  const places = yield* placesIn(previous?.listed ?? [], listed, perStep);
  const lengths = new Uint32Array(listed.length);
  const kinds = new Uint32Array(listed.length);
  const names = new SubNamespaces(namesFrom(previous));
  const isRenumbered = names.all.length === 0;
  let size = 0;
  for (let at = 0; at < listed.length; at++) {
    const place = places[at]!;
    const length = place === NOWHERE ? (listed[at]!.itemLength ?? 0) : previous!.lengths[place]!;
    lengths[at] = length;
    kinds[at] =
      place === NOWHERE || isRenumbered
        ? names.numberOf(subNamespaceOf(listed[at]!.identity))
        : previous!.kinds[place]!;
    size += listedItemBytes(length);
    if (at % perStep === perStep - 1) yield;
  }
  const writer = new ListingWriter(header, size, allocate);
  const begins = new Uint32Array(listed.length);
  for (let at = 0; at < listed.length;) {
    const place = places[at]!;
    if (place === NOWHERE) {
      begins[at] = writer.item(listed[at]!.itemBytes ?? NO_BYTES);
      if (++at % perStep === 0) yield;
      continue;
    }
    // Not further than a step, so that each stays short.
    const most = Math.min(listed.length, at + perStep - (at % perStep));
    let end = at + 1;
    while (end < most && places[end] === place + end - at) end++;
    copyItems(writer, previous!, place, begins, at, end);
    at = end;
    if (at % perStep === 0) yield;
  }
  return { bytes: writer.finish(), listed, lengths, begins, subNamespaces: names.all, kinds };
}

/** Sub-namespaces above which they are numbered anew, so that those of no item do not add up. */
const MAX_SUB_NAMESPACES = 256;

function namesFrom(previous: WrittenListing | undefined): readonly string[] {
  return previous === undefined || previous.subNamespaces.length > MAX_SUB_NAMESPACES ? [] : previous.subNamespaces;
}

/** Copies the items from `place` on of the listing before to the places from `at` up to `end`. */
function copyItems(
  writer: ListingWriter,
  { bytes, begins: before, lengths }: WrittenListing,
  place: number,
  begins: Uint32Array,
  at: number,
  end: number,
): void {
  const last = place + end - at - 1;
  const from = before[place]! + lengths[place]! - listedItemBytes(lengths[place]!);
  const written = writer.items(bytes.subarray(from, before[last]! + lengths[last]!));
  for (let i = at; i < end; i++) begins[i] = before[place + i - at]! - from + written;
}
