import { toBinary } from '@bufbuild/protobuf';
import {
  DiscoveryDirectoryPartSchema,
  type DiscoveryDirectoryPart,
  type PullDiscovery,
} from '@discovery-raft/protocol';
import type { EnvelopeLimits } from '../limits.js';
import { lengthFieldSize, ProtoWriter } from '../protobuf/proto-writer.js';
import { maxBodyBytes, type EventName } from '../psp/events.js';
import {
  cutDirectory,
  DIRECTORY_PART_BYTES,
  DIRECTORY_PART_OVERHEAD_BYTES,
  MIN_DIRECTORY_PART_BYTES,
  noDirectoryPart,
} from './directory-parts.js';

/** A directory that a node serves, encoded once for all who ask. */
export interface ServedDirectory {
  /** `DiscoveryDirectory` bytes. */
  readonly body: Uint8Array;
  /** SHA-256 of `body`. */
  readonly digest: Uint8Array;
  /** Unix seconds. */
  readonly creation: number;
}

/** What a node has to serve at a moment; each may be missing. */
export interface DirectoryOffer {
  readonly full: ServedDirectory | null;
  /** Looked at only when the full one does not fit; it may be costly to make. */
  short(): ServedDirectory | null;
}

/** A message of an answer, its body in windows one after the other: those of the directory are not copied. */
export interface PullAnswer {
  readonly event: EventName;
  /** For `segmentBody`. */
  readonly body: readonly Uint8Array[];
}

/** Bounds of {@link answerPull}. */
export interface PullAnswerOptions {
  readonly limits: EnvelopeLimits;
  /** What deployed clients take: total bytes of a message. Default 2 MiB, and never more than `limits` allow. */
  readonly deployedMessageBytes?: number;
  /** Content of a part. Default {@link DIRECTORY_PART_BYTES}, less if `limits` ask for it. */
  readonly partBytes?: number;
}

/**
 * The messages that answer a pull, encoded, to be sent in order, each when the one before was taken. What they share with
 * the answers to others are windows of the one encoded directory, so an answer takes next to no memory.
 *
 * An asker without our extensions gets the full directory when one deployed message holds it, else the short one, else
 * nothing, as deployed nodes do that have no directory. An asker with them gets the full directory, whole or in parts, or
 * hears that there is none for it (none at all, none newer, or none that it would take).
 */
export function* answerPull(
  pull: PullDiscovery,
  offer: DirectoryOffer,
  options: PullAnswerOptions,
): Generator<PullAnswer> {
  const { limits, deployedMessageBytes = 2_097_152 } = options;
  const { full } = offer;
  const fits = (served: ServedDirectory): boolean =>
    served.body.length <=
    maxBodyBytes('discoveryDirectory', {
      ...limits,
      maxMessageBytes: Math.min(deployedMessageBytes, limits.maxMessageBytes),
    });
  if (full !== null && full.creation > Number(pull.newerThan) && fits(full)) {
    yield { event: 'discoveryDirectory', body: [full.body] };
    return;
  }
  if (pull.requestID === 0n) {
    const short = full === null || fits(full) ? null : offer.short();
    if (short !== null && fits(short)) yield { event: 'discoveryDirectory', body: [short.body] };
    return;
  }
  const wanted =
    full !== null && full.creation > Number(pull.newerThan) && BigInt(full.body.length) <= pull.maxDirectoryBytes;
  const partBytes = partBytesOf(options);
  if (!wanted || partBytes < MIN_DIRECTORY_PART_BYTES) {
    yield encoded(noDirectoryPart(pull.requestID));
    return;
  }
  for (const part of cutDirectory(full.body, { requestID: pull.requestID, digest: full.digest, partBytes })) {
    yield encoded(part);
  }
}

function partBytesOf({ limits, partBytes = DIRECTORY_PART_BYTES }: PullAnswerOptions): number {
  return Math.min(partBytes, maxBodyBytes('discoveryDirectoryPart', limits) - DIRECTORY_PART_OVERHEAD_BYTES);
}

/** Field `content`, the last: it may stand apart from what is before it. */
const CONTENT_FIELD = 6;

const NO_BYTES = new Uint8Array(0);

function encoded(part: DiscoveryDirectoryPart): PullAnswer {
  const { content } = part;
  const fields = toBinary(DiscoveryDirectoryPartSchema, { ...part, content: NO_BYTES });
  if (content.length === 0) return { event: 'discoveryDirectoryPart', body: [fields] };
  const writer = new ProtoWriter(fields.length + lengthFieldSize(content.length) - content.length);
  writer.raw(fields);
  writer.open(CONTENT_FIELD, content.length);
  return { event: 'discoveryDirectoryPart', body: [writer.bytes, content] };
}
