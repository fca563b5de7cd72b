import { POLICIES, type PolicyName } from '@discovery-raft/discovery-consensus-fsm';
import { DEFAULT_RAFT_CONFIG, type RaftConfig } from '@discovery-raft/raft-core';
import { z } from 'zod';
import { DEFAULT_SIGNATURE_POLICY, SIGNATURE_POLICIES } from '../node/signature-policy.js';

/** Bytes of a message that may come in: a day's directory of a large network is above the 2 MiB of deployed clients. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_BODY_FIELDS = 200_000;

const fingerprint = z.string().regex(/^[0-9A-F]{64}$/, 'expected 64 upper-case hex digits');
const host = z.string().min(1).max(253);
const port = z.int().min(1).max(65_535);
const anyPort = z.int().min(0).max(65_535);
const path = z.string().min(1).max(4096);
const seconds = z.number().min(0);
const count = z.int().min(1);

const members = z
  .array(
    z.strictObject({
      identity: z.string().min(1).max(255).describe('its identity, as `keys show` of that node prints it'),
      fingerprint: fingerprint.describe('of its RSA identity, 64 hex digits, as `keys show` prints it'),
      host: host.describe('where its peers reach it'),
      port: port.describe('where its peers reach it'),
    }),
  )
  .max(31)
  .default([])
  .describe('every discovery node that the trust root names, this one among them; the same on every node');

const join = z
  .strictObject({
    peers: z
      .array(z.strictObject({ host: host.describe('of any node'), port: port.describe('of any node') }))
      .min(1)
      .max(31)
      .describe('where to ask for the trust roots'),
  })
  .optional()
  .describe('for a node that joins: who has the trust root that names it');

const keys = z.strictObject({
  directory: path.default('keys').describe('folder with the keys that `init` made; relative to this file'),
});

const data = z.strictObject({
  directory: path.default('data').describe('folder of log, list and directories; one process at a time'),
  maxBytes: z
    .int()
    .min(1 << 20)
    .default(8 * 2 ** 30)
    .describe('most bytes that the store may take on disk'),
});

const listen = z.strictObject({
  host: host.default('0.0.0.0').describe('address to listen at for PSP over TLS'),
  port: anyPort.default(9100).describe('0: the system chooses; for tests'),
  maxConnections: count.default(1024).describe('connections at once, peers included'),
  maxConnectionsPerAddress: count.default(64).describe('connections at once from one address'),
});

const advertise = z
  .strictObject({
    host: host.describe('what others should put into their members as the host of this node'),
    port: port.describe('and as its port'),
  })
  .optional()
  .describe('where this node is reached from outside; default what members says of it');

const consensus = z.strictObject({
  policy: z
    .enum(Object.keys(POLICIES) as [PolicyName, ...PolicyName[]])
    .default('safe')
    .describe('thresholds of a directory; the same on every node'),
  slotSeconds: z.int().min(1).default(900).describe('length of a round; the same on every node'),
  genesisSeconds: z.int().min(0).default(0).describe('Unix time at which slot 0 begins; the same on every node'),
  standalone: z.boolean().default(false).describe('no cluster: directories carry one signature'),
  clockToleranceSeconds: seconds.default(30).describe("how far a leader's clock may be off"),
  voteSeconds: seconds.optional().describe('how long a leader waits for votes; default a quarter slot, at most 60'),
  stragglerSeconds: seconds.optional().describe('how long it waits for more than a quorum'),
  settleSeconds: seconds.optional().describe('how long it waits before it asks a peer without extensions to vote'),
  ownEntryGraceSeconds: seconds.optional().describe('how young an own entry may be missing from a listing'),
  resendSeconds: seconds.optional().describe('how often an accepted packet is sent to the leader again'),
  enhanceSeconds: seconds.optional().describe('how often a leader asks for missing attestations'),
  confirmSeconds: seconds.optional().describe('how long a publish waits to be seen in the shared list'),
  maxLifetimeSeconds: seconds.default(86_400).describe('longest lifetime of an item; the same on every node'),
  entryShare: z.number().gt(0).max(1).optional().describe('share of nodes that must attest an entry'),
  sourcePublishesPerSecond: seconds.optional().describe('publishes from one address; 0: no limit'),
  sourcePublishBurst: seconds.optional().describe('and at once'),
  prefixPublishesPerSecond: seconds.optional().describe('publishes from one address prefix; 0: no limit'),
  prefixPublishBurst: seconds.optional().describe('and at once'),
  maxPendingPublishes: count.optional().describe('publishes that wait for their verification'),
  maxItems: count.optional().describe('items that this node attests at most'),
  shortListingBytes: count
    .optional()
    .describe('over this, a short listing is signed too, for deployed clients; the same on every node'),
  serveInterim: z.boolean().default(true).describe("serve the node's own list while there is no directory"),
});

/** Every option of Raft, none needed; ranges that depend on each other are checked afterwards. */
const raft = z.strictObject({
  ...(Object.fromEntries(
    Object.entries<number | boolean | string>({ ...DEFAULT_RAFT_CONFIG }).map(([name, value]) => [
      name,
      raftOption(value).optional(),
    ]),
  ) as Record<keyof RaftConfig, z.ZodOptional<z.ZodType<number | boolean | string>>>),
  signatures: z
    .enum(SIGNATURE_POLICIES)
    .default(DEFAULT_SIGNATURE_POLICY)
    .describe(
      'signed packets between nodes: require them, prefer them (unsigned is taken of who never signed), or off',
    ),
});

function raftOption(value: number | boolean | string): z.ZodType<number | boolean | string> {
  if (typeof value === 'boolean') return z.boolean().describe(`Raft; default ${value}`);
  if (typeof value === 'string') return z.enum(['quorum', 'lease']).describe(`Raft; default ${value}`);
  return z.int().min(0).describe(`Raft; default ${value}`);
}

const limits = z.strictObject({
  maxMessageBytes: z.int().min(65_536).max(MAX_MESSAGE_BYTES).default(MAX_MESSAGE_BYTES).describe('of one message'),
  maxBodyFields: z.int().min(64).max(10_000_000).default(MAX_BODY_FIELDS).describe('fields of one message'),
});

const http = z.strictObject({
  enabled: z.boolean().default(true).describe('serve health, metrics and the directory over HTTP'),
  host: host.default('127.0.0.1').describe('loopback unless you mean it: there is no authentication'),
  port: anyPort.default(9180).describe('0: the system chooses'),
  maxWaiters: z.int().min(0).default(1024).describe('clients that wait for the next round at once'),
  maxWaitSeconds: z.number().min(0).max(3600).default(60).describe('longest wait for the next round'),
  maxConnections: count.default(512).describe('connections at once'),
});

const admin = z.strictObject({
  socket: path.default('admin.sock').describe('Unix domain socket of the command line; relative to this file'),
});

const log = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info').describe('what is logged'),
  format: z
    .enum(['auto', 'human', 'json'])
    .default('auto')
    .describe('auto: for people on a terminal, else a line of JSON'),
});

const stop = z.strictObject({
  transferSeconds: z.number().min(0).max(300).default(5).describe('how long a leader that stops tries to hand over'),
});

const clock = z.strictObject({
  offsetSeconds: z.number().default(0).describe("added to the machine's time of day; for tests of a wrong clock"),
});

/** The configuration file of a node. Every leaf has a description; defaults are filled in. */
export const configSchema = z.strictObject({
  version: z.literal(1).default(1).describe('of this format'),
  name: z.string().min(1).max(64).optional().describe('what people call this node'),
  trustRoot: path.default('trust-root.json').describe('whom this node believes; the same on every node'),
  keys: keys.prefault({}),
  data: data.prefault({}),
  listen: listen.prefault({}),
  advertise,
  members,
  join,
  consensus: consensus.prefault({}),
  raft: raft.prefault({}),
  limits: limits.prefault({}),
  http: http.prefault({}),
  admin: admin.prefault({}),
  log: log.prefault({}),
  stop: stop.prefault({}),
  clock: clock.prefault({}),
});

/** A configuration as it stands in the file, with the defaults filled in; paths are as written. */
export type NodeConfig = z.infer<typeof configSchema>;

/** One setting that takes a single value. */
export interface Setting {
  /** Names from the root, such as `['listen', 'port']`. */
  readonly path: readonly string[];
  readonly kind: 'number' | 'boolean' | 'text';
  readonly description: string;
  /** Undefined when it has none of its own. */
  readonly default: unknown;
  readonly required: boolean;
}

/** Every setting with a single value, in the order of the file. The members, a list, are not among them. */
export function settings(): readonly Setting[] {
  return [...leaves(configSchema, [])];
}

/** The names that a section of the file may have; none when there is no such section. */
export function namesIn(section: readonly (string | number)[]): readonly string[] {
  let inner: z.core.$ZodType = unwrap(configSchema).inner;
  for (const name of section) {
    if (inner instanceof z.ZodArray) inner = unwrap(inner.element).inner;
    else {
      const shape: z.core.$ZodShape = inner instanceof z.ZodObject ? inner.shape : {};
      const child = Object.hasOwn(shape, name) ? shape[name] : undefined;
      if (child === undefined) return [];
      inner = unwrap(child).inner;
    }
  }
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function* leaves(schema: z.core.$ZodType, at: readonly string[]): Generator<Setting> {
  const facts = unwrap(schema);
  if (facts.inner instanceof z.ZodObject) {
    for (const [name, child] of Object.entries<z.core.$ZodType>(facts.inner.shape)) yield* leaves(child, [...at, name]);
  } else if (!(facts.inner instanceof z.ZodArray)) {
    const kind = kindOf(facts.inner);
    yield { path: at, kind, description: facts.description, default: facts.default, required: facts.required };
  }
}

interface Unwrapped {
  readonly inner: z.core.$ZodType;
  readonly description: string;
  readonly default: unknown;
  readonly required: boolean;
}

/** What lies below defaults and the like. */
function unwrap(schema: z.core.$ZodType): Unwrapped {
  let inner = schema;
  let description = '';
  let value: unknown;
  let required = true;
  for (;;) {
    if (inner instanceof z.ZodType) description ||= inner.description ?? '';
    if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) value ??= inner.def.defaultValue;
    else if (!(inner instanceof z.ZodOptional)) return { inner, description, default: value, required };
    required = false;
    inner = inner.unwrap();
  }
}

function kindOf(schema: z.core.$ZodType): Setting['kind'] {
  if (schema instanceof z.ZodBoolean) return 'boolean';
  if (schema instanceof z.ZodNumber) return 'number';
  return schema instanceof z.ZodLiteral ? 'number' : 'text';
}
