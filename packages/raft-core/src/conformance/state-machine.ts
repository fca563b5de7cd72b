import { EntryType, type LogEntry } from '../core/types.js';
import { tombstoneOf } from '../runtime/apply-lane.js';
import type { StateMachine, StateMachineSnapshot } from '../ports/state-machine.js';
import { assert, assertSame, type ConformanceCheck } from './check.js';

/** What the suite needs to know of a state machine. */
export interface StateMachineConformanceOptions<Response> {
  /** A new state machine that has applied nothing. */
  readonly create: () => StateMachine<Response>;
  /** Commands that change the state, at least three; each is applied to several state machines. */
  readonly commands: readonly Uint8Array[];
  /** The state as a plain value, for comparison. */
  readonly inspect: (machine: StateMachine<Response>) => unknown;
}

interface Run<Response> {
  readonly machine: StateMachine<Response>;
  readonly responses: Response[];
  readonly redacted: number[];
}

/** What {@link StateMachine} promises. */
export function stateMachineConformance<Response>(
  options: StateMachineConformanceOptions<Response>,
): readonly ConformanceCheck[] {
  const log = options.commands.map((data, i): LogEntry => ({
    index: i + 2,
    term: 1,
    type: EntryType.command,
    data: data.slice(),
  }));
  return [...applying(options, log), ...snapshots(options, log)].map(([name, body]) => ({
    name: `StateMachine: ${name}`,
    run: async () => {
      assert(log.length >= 3, 'the suite needs at least three commands');
      await body();
    },
  }));
}

type Named = readonly [name: string, body: () => Promise<void>];

function applying<Response>(
  { create, inspect, commands }: StateMachineConformanceOptions<Response>,
  log: readonly LogEntry[],
): Named[] {
  return [
    [
      'the same commands give the same responses, redactions and state',
      async () => {
        const [one, other] = [applyAll(create(), log), applyAll(create(), log)];
        assertSame(other.responses, one.responses, 'the responses');
        assertSame(other.redacted, one.redacted, 'what is redacted');
        assertSame(inspect(other.machine), inspect(one.machine), 'the state');
      },
    ],
    [
      'who gets tombstones for what was redacted comes to the same state',
      async () => {
        const whole = applyAll(create(), log);
        const { machine } = applyAll(
          create(),
          log.map((entry) => (whole.redacted.includes(entry.index) ? tombstoneOf(entry, log.at(-1)!.index) : entry)),
        );
        assertSame(inspect(machine), inspect(whole.machine), 'the state');
      },
    ],
    [
      'a response is not a promise: nobody would wait for it',
      async () => {
        for (const response of applyAll(create(), log).responses) {
          const then: unknown =
            Object(response) === response ? Reflect.get(Object(response) as object, 'then') : undefined;
          assert(typeof then !== 'function', 'apply gave a promise');
        }
      },
    ],
    [
      'who says that it keeps no bytes keeps none: what they become changes nothing',
      async () => {
        const machine = create();
        if (machine.keepsNoBytes !== true) return;
        const responses = log.flatMap((entry) => {
          const lent = { ...entry, data: new Uint8Array(entry.data) };
          const run = applyAll(machine, [lent]);
          lent.data.fill(0xff);
          return run.responses;
        });
        const whole = applyAll(create(), log);
        assertSame(responses, whole.responses, 'the responses');
        assertSame(inspect(machine), inspect(whole.machine), 'the state');
      },
    ],
    [
      'the bytes of an entry are left as they are',
      async () => {
        applyAll(create(), log);
        for (const [i, { data }] of log.entries()) assertSame(data, commands[i], 'the bytes of a command');
      },
    ],
  ];
}

function snapshots<Response>(
  { create, inspect }: StateMachineConformanceOptions<Response>,
  log: readonly LogEntry[],
): Named[] {
  const half = log.slice(0, log.length >> 1);
  const rest = log.slice(log.length >> 1);
  const restored = (chunks: readonly Uint8Array[]): Promise<StateMachine<Response>> => restoreInto(create(), chunks);
  return [
    [
      'a snapshot restores to the same state, which goes on alike',
      async () => {
        const original = applyAll(create(), half).machine;
        const copy = await restored(await persist(original.snapshot()));
        assertSame(inspect(copy), inspect(original), 'the restored state');
        assertSame(applyAll(copy, rest).responses, applyAll(original, rest).responses, 'the responses after it');
        assertSame(inspect(copy), inspect(original), 'the state after further commands');
      },
    ],
    [
      'a snapshot is frozen: later commands are not in it',
      async () => {
        const machine = applyAll(create(), half).machine;
        const before = inspect(await restored(await persist(machine.snapshot())));
        const snapshot = machine.snapshot();
        applyAll(machine, rest);
        assertSame(inspect(await restored(await persist(snapshot))), before, 'the restored state');
      },
    ],
    [
      'a snapshot that is never written can be released',
      async () => {
        const machine = applyAll(create(), half).machine;
        machine.snapshot().release();
        applyAll(machine, rest);
        assertSame(inspect(machine), inspect(applyAll(create(), log).machine), 'the state');
      },
    ],
    [
      'a restore replaces what was there',
      async () => {
        const chunks = await persist(applyAll(create(), half).machine.snapshot());
        const machine = applyAll(create(), log).machine;
        await machine.restore(stream(chunks));
        assertSame(inspect(machine), inspect(await restored(chunks)), 'the state');
      },
    ],
    [
      'a restore does not depend on where the chunks end',
      async () => {
        const chunks = await persist(applyAll(create(), log).machine.snapshot());
        const whole = chunks.flatMap((chunk) => [...chunk]);
        const bytewise = whole.map((byte) => Uint8Array.of(byte));
        const expected = inspect(await restored(chunks));
        assertSame(inspect(await restored(bytewise)), expected, 'the state from chunks of one byte');
        assertSame(inspect(await restored([Uint8Array.from(whole)])), expected, 'the state from one chunk');
      },
    ],
    [
      'the state before the first command can be saved and restored',
      async () => {
        const machine = await restored(await persist(create().snapshot()));
        assertSame(inspect(machine), inspect(create()), 'the state');
        assertSame(applyAll(machine, log).responses, applyAll(create(), log).responses, 'the responses');
      },
    ],
  ];
}

/** Applies a log as a node would. */
function applyAll<Response>(machine: StateMachine<Response>, log: readonly LogEntry[]): Run<Response> {
  const run: Run<Response> = { machine, responses: [], redacted: [] };
  for (const entry of log) {
    if (entry.type === EntryType.tombstone) {
      machine.applyTombstone?.(entry);
      continue;
    }
    run.responses.push(
      machine.apply(entry, {
        redact: (index, sha256) => {
          assert(index < entry.index, `entry ${entry.index} asked to redact ${index}, which is not before it`);
          run.redacted.push(index);
          const dead = log.find((each) => each.index === index);
          if (sha256 !== undefined && dead !== undefined && dead.type !== EntryType.tombstone)
            assertSame(sha256, tombstoneOf(dead, entry.index).data, `the hash of entry ${index}`);
        },
      }),
    );
  }
  return run;
}

async function persist(snapshot: StateMachineSnapshot): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  await snapshot.persist((chunk) => {
    chunks.push(chunk.slice());
  });
  snapshot.release();
  return chunks;
}

async function restoreInto<Response>(
  machine: StateMachine<Response>,
  chunks: readonly Uint8Array[],
): Promise<StateMachine<Response>> {
  await machine.restore(stream(chunks));
  return machine;
}

async function* stream(chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) yield chunk;
}
