import { create, fromBinary } from '@bufbuild/protobuf';
import { DiscoveryDirectorySchema, DiscoveryListingSchema } from '@discovery-raft/protocol';
import { beginsAsListing, shortListingStepsOf } from '@discovery-raft/psp-envelope';
import type { ShortListing } from '@discovery-raft/psp-envelope';
import type { DiscoveryDirectory, DiscoveryListing, DiscoverySignature } from '@discovery-raft/protocol';
import { MAX_MEMBERS } from '../config.js';
import { rootClaimOf } from '../policy/committee.js';
import { buildListingSteps } from '../policy/listing.js';
import { sameBytes } from '../policy/bytes.js';
import { POLICIES } from '../policy/thresholds.js';
import { roundOfCreation, slotExpiration, slotStart } from '../policy/slots.js';
import type { StoredDirectory } from '../ports.js';
import type { Handled } from '../refusals.js';
import { HEEDED } from '../refusals.js';
import type { Context } from './context.js';
import { describeFailure, raiseAlarm } from './context.js';
import { Deadline, LATE, within } from './deadline.js';
import { no } from './not-heeded.js';
import type { RecordBook } from './record-book.js';
import type { RoundResult } from './round-leader.js';
import { checkShortSignatures, checkSignatures } from './signature-set.js';
import { inSlices } from './slices.js';

/** How long an interim directory is given out before it is made anew, seconds. */
const INTERIM_REUSE_SECONDS = 10;
/** How long publishing waits for the store, seconds; the directory is public before. */
const SAVE_SECONDS = 10;

/**
 * The directory that this node serves. It is replaced in one step, only by a newer one that carries a quorum, and looked
 * at for expiry before every answer. While there is none, an interim one with this node's own signature stands in.
 */
export class DirectoryShelf {
  readonly #context: Context;
  readonly #book: RecordBook;
  #current: StoredDirectory | null = null;
  /** The current one, or a later one that is still being saved. */
  #newest: StoredDirectory | null = null;
  #interim: StoredDirectory | null = null;
  #interimOver: Deadline;
  #makingInterim: Promise<StoredDirectory | null> | undefined;
  /** Short listings of directories that this node built itself: others follow from the directory, but at a price. */
  readonly #short = new WeakMap<StoredDirectory, ShortListing>();
  /** Directories of peers that are being checked: one each. */
  readonly #checking = new Set<string>();

  constructor(context: Context, book: RecordBook) {
    this.#context = context;
    this.#book = book;
    this.#interimOver = new Deadline(context.time, 0);
  }

  /** The last directory that went public here, even if it has expired; null when there never was one. */
  get last(): StoredDirectory | null {
    return this.#current;
  }

  /** What the store has from before. */
  restore(directory: StoredDirectory | null): void {
    this.#current = directory;
    this.#newest = directory;
  }

  /** The directory of a round that may be served at this moment. */
  get unexpired(): StoredDirectory | null {
    const current = this.#current;
    return current !== null && this.#context.time.wallNow() < current.expiration ? current : null;
  }

  /** The short listing that follows from a directory; undefined when it has none. */
  async shortOf(stored: StoredDirectory): Promise<ShortListing | undefined> {
    return this.#short.get(stored) ?? (await this.#makeShort(stored.directory.directory));
  }

  /** What may be served at this moment. */
  async get(): Promise<StoredDirectory | null> {
    const { config, time } = this.#context;
    const current = this.unexpired;
    if (current !== null) return current;
    if (!config.serveInterim) return null;
    if (this.#interim !== null && !this.#interimOver.isOver && time.wallNow() < this.#interim.expiration) {
      return this.#interim;
    }
    this.#makingInterim ??= this.#makeInterim().finally(() => {
      this.#makingInterim = undefined;
    });
    const interim = await this.#makingInterim;
    // While it was being made, the round may have ended.
    return this.unexpired ?? interim;
  }

  /** Saves the directory of a round, and makes it public. */
  async publish({ round, listing, signatures, shortSignatures }: RoundResult): Promise<void> {
    const { config } = this.#context;
    const { digest, items } = listing;
    const directory: DiscoveryDirectory = create(DiscoveryDirectorySchema, {
      directory: listing.bytes,
      signatures: [...signatures],
      shortSignatures: [...shortSignatures],
    });
    const creation = slotStart(config, round);
    const expiration = slotExpiration(config, round);
    const stored: StoredDirectory = { round, creation, expiration, digest, items, directory };
    if (listing.short !== undefined) this.#short.set(stored, listing.short);
    await this.#replace(stored);
  }

  /** Checks a peer's directory and, when it is newer than what is here and carries a quorum, makes it public. */
  async offer(from: string, directory: DiscoveryDirectory): Promise<Handled> {
    if (this.#checking.has(from)) return no('overloaded', 'one directory of a peer at a time');
    this.#checking.add(from);
    try {
      return await this.#check(directory);
    } finally {
      this.#checking.delete(from);
    }
  }

  async #check(directory: DiscoveryDirectory): Promise<Handled> {
    const { config, ports, time, committees } = this.#context;
    if (directory.directory.length > config.maxDirectoryBytes) return no('tooLarge', 'directory');
    const { signatures } = directory;
    const most = Math.max(signatures.length, directory.shortSignatures.length);
    if (most > MAX_MEMBERS) return no('tooMany', 'signatures');
    const listing = beginsAsListing(directory.directory) ? decodeListing(directory.directory) : undefined;
    if (listing === undefined) return no('malformed', 'listing');
    if (listing.version !== config.protocolVersion) return no('unsupportedVersion', 'listing');
    const creation = Number(listing.creation);
    const expiration = Number(listing.expiration);
    const now = time.wallNow();
    const round = Number.isSafeInteger(creation) ? roundOfCreation(config, creation) : undefined;
    if (round === undefined || expiration !== slotExpiration(config, round)) return no('malformed', 'times');
    if (creation > now + config.clockToleranceSeconds) return no('malformed', 'creation is in the future');
    if (now >= expiration || round <= (this.#newest?.round ?? 0)) return no('staleDirectory', `round ${round}`);
    const committee = committees.at(creation);
    if (Math.max(1, Number(listing.rootVersion)) !== committee.version) {
      return no('quorumMissing', `it is of trust root ${listing.rootVersion}`);
    }
    if (most > committee.members.size) return no('tooMany', 'signatures');
    const { good } = await checkSignatures(this.#context, committee, signatures, directory.directory, creation);
    if (good.length < committee.quorum) return no('quorumMissing', `${good.length} of ${committee.quorum} signatures`);
    const shortSignatures = await this.#goodShort(directory, creation);
    if (round <= (this.#newest?.round ?? 0)) return no('staleDirectory', `round ${round}`);
    const digest = ports.sha256(directory.directory);
    const checked = create(DiscoveryDirectorySchema, {
      directory: directory.directory,
      signatures: [...good],
      shortSignatures: [...shortSignatures],
    });
    await this.#replace({ round, creation, expiration, digest, items: listing.items.length, directory: checked });
    return HEEDED;
  }

  async #goodShort(directory: DiscoveryDirectory, creation: number): Promise<readonly DiscoverySignature[]> {
    if (directory.shortSignatures.length === 0) return [];
    const short = await this.#makeShort(directory.directory);
    const committee = this.#context.committees.at(creation);
    return checkShortSignatures(this.#context, committee, directory.shortSignatures, short, creation);
  }

  #makeShort(listing: Uint8Array): Promise<ShortListing | undefined> {
    const { config, ports } = this.#context;
    const options = { maxBytes: config.shortListingBytes, sha256: ports.sha256 };
    return inSlices(this.#context, shortListingStepsOf(listing, options));
  }

  /**
   * Saves a directory, then makes it public: whoever was shown it finds it, or a newer one, here after a crash as well. A
   * disk that fails or stands still only delays that, with an alarm, as the quorum has signed it all the same.
   */
  async #replace(directory: StoredDirectory): Promise<void> {
    const { ports, time, tally, emit } = this.#context;
    const before = this.#newest;
    if (before !== null && before.round > directory.round) return;
    if (before?.round === directory.round && !sameBytes(before.digest, directory.digest)) {
      raiseAlarm(this.#context, 'listingDiffers', `two directories of round ${directory.round}`);
      return;
    }
    this.#newest = directory;
    try {
      const saved = await within(new Deadline(time, SAVE_SECONDS), ports.store.saveDirectory(directory));
      if (saved === LATE) raiseAlarm(this.#context, 'storeFailed', 'saving the directory takes too long');
    } catch (error) {
      raiseAlarm(this.#context, 'storeFailed', describeFailure(error));
    }
    if (this.#current !== null && this.#current.round > directory.round) return;
    this.#current = directory;
    this.#interim = null;
    tally.directoriesPublished++;
    emit('directoryPublished', directory);
  }

  /**
   * This node's own verified list with its own signature. Its creation is never the start of a slot, so it cannot be
   * taken for the directory of a round, nor count as a second listing signed in one. Its lifetime is another one than any
   * other member's, so the bytes are: the interim lists that several members make of the same list at the same second must
   * not add up to a quorum, since an entry is in them with a single attestation.
   */
  async #makeInterim(): Promise<StoredDirectory | null> {
    const { config, ports, time, committees } = this.#context;
    const now = Math.floor(time.wallNow());
    const creation = roundOfCreation(config, now) === undefined ? now : now - 1;
    if (config.slotSeconds === 1) return null;
    const expiration = creation + config.slotSeconds + committees.ownPlace;
    const rootClaim = rootClaimOf(committees.at(creation));
    const header = { version: config.protocolVersion, creation, expiration, ...rootClaim };
    try {
      // A node that has just started may have much to verify, and is asked meanwhile.
      const entries = await this.#book.judgeWhatIsKnown(ports.list.view(), creation);
      const { shortListingBytes, recordsPerSlice: entriesPerStep } = config;
      const rules = { policy: POLICIES.safe, attestationsNeeded: 1 };
      const input = { entries, header, ...rules, sha256: ports.sha256, shortListingBytes, entriesPerStep };
      const listing = await inSlices(this.#context, buildListingSteps(input));
      const directory = create(DiscoveryDirectorySchema, {
        directory: listing.bytes,
        signatures: [await ports.signer.sign(listing.bytes)],
        shortSignatures: listing.short === undefined ? [] : [await ports.signer.sign(listing.short.bytes)],
      });
      const { digest, items } = listing;
      this.#interimOver = new Deadline(time, INTERIM_REUSE_SECONDS);
      this.#interim = { round: 0, creation, expiration, digest, items, directory };
      if (listing.short !== undefined) this.#short.set(this.#interim, listing.short);
    } catch (error) {
      raiseAlarm(this.#context, 'signerFailed', describeFailure(error));
      return null;
    }
    return this.#interim;
  }
}

function decodeListing(bytes: Uint8Array): DiscoveryListing | undefined {
  try {
    return fromBinary(DiscoveryListingSchema, bytes);
  } catch {
    return undefined;
  }
}
