import type { Command } from 'commander';

/** The shells that there are scripts for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number];

interface Place {
  /** Commands up to here, such as `members add`; empty at the root. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly flags: readonly { readonly long: string; readonly about: string; readonly takesValue: boolean }[];
}

/** A script that completes the commands and flags of a program, and file names elsewhere. */
export function completionScript(program: Command, shell: Shell): string {
  const places = [...placesOf(program, '')];
  const name = program.name();
  if (shell === 'bash') return bash(name, places);
  return shell === 'zsh' ? zsh(name, places) : fish(name, places);
}

function* placesOf(command: Command, path: string): Generator<Place> {
  const commands = command.commands.map((child) => ({ name: child.name(), about: firstSentence(child.description()) }));
  const flags = command.options.flatMap(({ long, description, required }) =>
    long === null || long === undefined ? [] : [{ long, about: firstSentence(description), takesValue: required }],
  );
  yield { path, commands, flags: [...flags, { long: '--help', about: 'show the help', takesValue: false }] };
  for (const child of command.commands) yield* placesOf(child, `${path} ${child.name()}`.trim());
}

function firstSentence(text: string): string {
  return text.split(/(?<=[.;])\s/)[0]!.replaceAll(/['"`\\:[\]$]/g, '');
}

/** The shell's own loop that finds out which command the words name. */
function walk(places: readonly Place[], assign: string): string {
  const known = places.filter(({ path }) => path !== '').map(({ path }) => `"${path}"`);
  return `    case "${assign}" in ${known.join('|')}) place="${assign}" ;; esac`;
}

function bash(name: string, places: readonly Place[]): string {
  const cases = places.map(({ path, commands, flags }) => {
    const words = [...commands.map((command) => command.name), ...flags.map(({ long }) => long)];
    return `    "${path}") words="${words.join(' ')}" ;;`;
  });
  return `# ${name}: completion for bash
_${identifier(name)}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" place="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    local next="\${place:+$place }\${COMP_WORDS[i]}"
${walk(places, '$next')}
  done
  case "$place" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${identifier(name)} ${name}
`;
}

function zsh(name: string, places: readonly Place[]): string {
  const cases = places.map(({ path, commands, flags }) => {
    const entries = [
      ...commands.map((command) => `'${command.name}:${command.about}'`),
      ...flags.map(({ long, about }) => `'${long}:${about}'`),
    ];
    return `    "${path}") entries=(${entries.join(' ')}) ;;`;
  });
  return `#compdef ${name}
_${identifier(name)}() {
  local place="" next i
  local -a entries
  for ((i = 2; i < CURRENT; i++)); do
    next="\${place:+$place }\${words[i]}"
${walk(places, '$next')}
  done
  case "$place" in
${cases.join('\n')}
  esac
  _describe '${name}' entries || _files
}
_${identifier(name)} "$@"
`;
}

function fish(name: string, places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, flags }) => {
    const seen = path === '' ? [] : path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    const names = commands.map((command) => command.name).join(' ');
    const none = commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${names}`];
    const condition = [...seen, ...none].join('; and ');
    const when = condition === '' ? '' : ` -n '${condition}'`;
    return [
      ...commands.map((command) => `complete -c ${name} -f${when} -a ${command.name} -d '${command.about}'`),
      ...flags.map(({ long, about, takesValue }) => {
        const value = takesValue ? ' -r' : '';
        return `complete -c ${name}${when} -l ${long.slice(2)}${value} -d '${about}'`;
      }),
    ];
  });
  return `# ${name}: completion for fish\n${lines.join('\n')}\n`;
}

function identifier(name: string): string {
  return name.replaceAll('-', '_');
}
