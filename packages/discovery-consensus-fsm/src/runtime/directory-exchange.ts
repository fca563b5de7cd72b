import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DiscoveryDirectorySchema, PullDiscoverySchema } from '@discovery-raft/protocol';
import type { DiscoveryDirectory, DiscoveryDirectoryPart, PullDiscovery } from '@discovery-raft/protocol';
import {
  answerPull,
  decodeDiscoveryBody,
  DEFAULT_LIMITS,
  DirectoryAssembler,
  EnvelopeError,
} from '@discovery-raft/psp-envelope';
import type { EnvelopeLimits, PullAnswer, ServedDirectory } from '@discovery-raft/psp-envelope';
import { slotAt } from '../policy/slots.js';
import type { StoredDirectory } from '../ports.js';
import type { Handled } from '../refusals.js';
import { HEEDED } from '../refusals.js';
import type { Context } from './context.js';
import { sendCounted } from './context.js';
import type { DirectoryShelf } from './directory-shelf.js';
import { no } from './not-heeded.js';

/** Directories in parts that may be half here, in sizes of the largest: more come one after the other. */
const ASSEMBLED_AT_ONCE = 2;

/** The two encodings of one directory, each made once. */
interface Forms {
  readonly full: ServedDirectory;
  short: Promise<ServedDirectory | null> | undefined;
}

/** How directories go from node to node and to clients: whole, in parts, or the short one to deployed clients. */
export class DirectoryExchange {
  readonly #context: Context;
  readonly #shelf: DirectoryShelf;
  readonly #forms = new WeakMap<StoredDirectory, Promise<Forms>>();
  readonly #arriving = new Map<string, DirectoryAssembler>();
  /** Members that are being answered, with what each has asked for since: an answer is megabytes, so each has one at a time. */
  readonly #answering = new Map<string, PullDiscovery | undefined>();
  #requestID = 0n;

  constructor(context: Context, shelf: DirectoryShelf) {
    this.#context = context;
    this.#shelf = shelf;
  }

  /** Asks all others for a directory that is newer than the last one here. @returns when the links have taken it */
  async pullFromAll(): Promise<void> {
    this.#requestID++;
    this.#arriving.clear();
    await Promise.all(this.#context.committees.others.map((peer) => this.#pull(peer)));
  }

  /** The same, unless the directory of the present slot is here. */
  async pullFromAllIfBehind(): Promise<void> {
    if (this.#isBehind) await this.pullFromAll();
  }

  /** Asks one, who could not be reached before, unless the directory of the present slot is here. What others send goes on. */
  async pullFrom(peer: string): Promise<void> {
    if (!this.#isBehind) return;
    if (this.#requestID === 0n) this.#requestID++;
    await this.#pull(peer);
  }

  /** Whether there may be a newer directory than the last one here. */
  get #isBehind(): boolean {
    const { config, time } = this.#context;
    return (this.#shelf.last?.round ?? 0) < slotAt(config, time.wallNow());
  }

  async #pull(peer: string): Promise<void> {
    const { config } = this.#context;
    const body = create(PullDiscoverySchema, {
      version: config.protocolVersion,
      requestID: this.#requestID,
      maxDirectoryBytes: BigInt(Math.floor(config.maxDirectoryBytes)),
      newerThan: BigInt(this.#shelf.last?.creation ?? 0),
    });
    await sendCounted(this.#context, peer, { event: 'pullDiscovery', body });
  }

  /** The messages that answer a pull, encoded; see `answerPull` of psp-envelope. */
  async answer(
    pull: PullDiscovery,
    served: StoredDirectory | null,
    limits: EnvelopeLimits,
  ): Promise<Iterable<PullAnswer>> {
    const forms = served === null ? null : await this.#formsOf(served);
    // Only deployed clients take a short one, and it may be costly to make.
    const short =
      served !== null && forms !== null && pull.requestID === 0n ? await this.#shortOf(served, forms) : null;
    return answerPull(pull, { full: forms?.full ?? null, short: () => short }, { limits });
  }

  /** Answers a member's pull. An interim list proves nothing to another discovery node. */
  async answerPeer(from: string, pull: PullDiscovery): Promise<Handled> {
    if (pull.requestID > BigInt(Number.MAX_SAFE_INTEGER)) return no('malformed', 'requestID');
    const isBusy = this.#answering.has(from);
    this.#answering.set(from, isBusy ? pull : undefined);
    if (isBusy) return HEEDED;
    try {
      for (let next: PullDiscovery | undefined = pull; next !== undefined; next = this.#answering.get(from)) {
        this.#answering.set(from, undefined);
        await this.#answerOne(from, next);
      }
    } finally {
      this.#answering.delete(from);
    }
    return HEEDED;
  }

  async #answerOne(from: string, pull: PullDiscovery): Promise<void> {
    for (const { event, body } of await this.answer(pull, this.#shelf.unexpired, DEFAULT_LIMITS)) {
      // Who asks again waits for no more of the answer before.
      if (this.#answering.get(from) !== undefined) return;
      if (!(await sendCounted(this.#context, from, decodeDiscoveryBody(event, joined(body))))) return;
    }
  }

  /** Takes a part of a directory that this node asked for; the last one puts the directory on the shelf. */
  async takePart(from: string, part: DiscoveryDirectoryPart): Promise<Handled> {
    if (part.requestID !== this.#requestID) return no('staleDirectory', 'a part that nobody waits for');
    if (part.count === 0) return HEEDED;
    let whole: Uint8Array | undefined;
    try {
      if (part.index === 0 && !this.#begin(from)) return no('overloaded', 'parts of too many directories');
      const assembler = this.#arriving.get(from);
      if (assembler === undefined) return no('malformed', 'a part without the first one');
      whole = assembler.push(part);
    } catch (error) {
      this.#arriving.delete(from);
      if (!(error instanceof EnvelopeError)) throw error;
      return no(error.code === 'ENVELOPE_TOO_LARGE' ? 'tooLarge' : 'malformed', error.code);
    }
    if (whole === undefined) return HEEDED;
    this.#arriving.delete(from);
    const directory = readDirectory(whole);
    return directory === undefined ? no('malformed', 'directory') : this.#shelf.offer(from, directory);
  }

  #begin(from: string): boolean {
    const { maxDirectoryBytes } = this.#context.config;
    this.#arriving.delete(from);
    let held = 0;
    for (const assembler of this.#arriving.values()) held += assembler.receivedBytes;
    if (held > (ASSEMBLED_AT_ONCE - 1) * maxDirectoryBytes) return false;
    this.#arriving.set(from, new DirectoryAssembler({ maxDirectoryBytes }));
    return true;
  }

  #formsOf(served: StoredDirectory): Promise<Forms> {
    let forms = this.#forms.get(served);
    if (forms === undefined) {
      forms = this.#encode(served.directory, served.creation).then((full) => ({ full, short: undefined }));
      this.#forms.set(served, forms);
    }
    return forms;
  }

  #shortOf(served: StoredDirectory, forms: Forms): Promise<ServedDirectory | null> {
    forms.short ??= this.#encodeShort(served);
    return forms.short;
  }

  /** Null when too few signed the short listing. A stored directory has only the signatures: the rest follows from it. */
  async #encodeShort(served: StoredDirectory): Promise<ServedDirectory | null> {
    const { shortSignatures: signatures } = served.directory;
    if (signatures.length === 0) return null;
    const short = await this.#shelf.shortOf(served);
    if (short === undefined) return null;
    return this.#encode(create(DiscoveryDirectorySchema, { directory: short.bytes, signatures }), served.creation);
  }

  async #encode(directory: DiscoveryDirectory, creation: number): Promise<ServedDirectory> {
    const { sha256, yieldNow } = this.#context.ports;
    const body = toBinary(DiscoveryDirectorySchema, directory);
    await yieldNow?.();
    return { body, digest: sha256(body), creation };
  }
}

function joined(windows: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(windows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const window of windows) {
    bytes.set(window, at);
    at += window.length;
  }
  return bytes;
}

function readDirectory(bytes: Uint8Array): DiscoveryDirectory | undefined {
  try {
    return fromBinary(DiscoveryDirectorySchema, bytes, { readUnknownFields: false });
  } catch {
    return undefined;
  }
}
