/** The file in which a kill outlives the process (`SPEC.md`, section 12, rule 6). */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

import { AppliedStates } from './engine/appliedStates.js';
import { type Problem, problem, reasonOf } from './problem.js';
import type { DesiredState } from './protocol/bodies.js';
import { GENERATION_MAX } from './protocol/limits.js';
import { toUint } from './protocol/uint.js';

const LINE = /^heartline 2 control ([0-9a-f]{16}) generation (\d{1,19}) (killed|running)$/;
/** The only line of a file that knows neither its fleet nor its control id. */
const UNATTRIBUTED_LINE = /^heartline 1 generation (\d{1,19}) (killed|running)\n$/;
/** Control id that such a kill is held for: no collector draws it, and every one can lift it. */
const UNATTRIBUTED = '0000000000000001';
/** Longer than any file that this version writes. */
const LENGTH_MAX = 4_096;
const SUFFIX = '.desired';

/** What was read, and what could not be. */
export interface Remembered {
  readonly applied: AppliedStates;
  readonly problems: readonly Problem[];
}

/** Memory of the desired states that one agent has applied: a file for each fleet. */
export class KillMemory {
  constructor(
    private readonly dir: string,
    private readonly agent: string,
  ) {}

  /**
   * Reads the states of a fleet, by the checksum of its token; while that is not known, those of
   * all fleets, so that no kill is missed.
   */
  read(fleet: string | null): Remembered {
    const states: DesiredState[] = [];
    const problems: Problem[] = [];
    for (const path of fleet === null ? this.#filesOfAllFleets() : [this.#path(fleet)]) {
      try {
        states.push(...parse(readFile(path) ?? ''));
      } catch (error) {
        problems.push(unreadable(path, error));
      }
    }
    const path = this.#unattributedPath();
    try {
      const state = parseUnattributed(readFile(path));
      if (state?.killed === true) {
        states.push(state);
        problems.push(unattributed(path));
      }
    } catch (error) {
      problems.push(unreadable(path, error));
    }
    return { applied: AppliedStates.restored(states), problems };
  }

  /** Writes the states of a fleet; once this returns, the file is on disk, whole. */
  write(fleet: string, applied: AppliedStates): Problem | null {
    const path = this.#path(fleet);
    try {
      this.#write(path, format(applied));
      return null;
    } catch (error) {
      const message =
        `can't store the desired state at ${path}: ${reasonOf(error)}; ` +
        'it would be lost at a restart';
      return problem('StateUnwritable', message);
    }
  }

  /** Removes the states of a fleet, which says of all that they run; `write` says what went wrong. */
  remove(fleet: string): void {
    for (const path of [this.#path(fleet), this.#unattributedPath()]) {
      try {
        rmSync(path, { force: true });
      } catch {
        // The write that follows replaces the file, or says why it can't.
      }
    }
  }

  #write(path: string, text: string): void {
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    // A name that nobody can foresee, and a new file: nobody can lead it elsewhere.
    const draft = join(this.dir, `${this.agent}.${randomBytes(8).toString('hex')}.tmp`);
    try {
      writeDraft(draft, text);
      renameSync(draft, path);
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
    // What it says is in the new file, or in that of another fleet.
    rmSync(this.#unattributedPath(), { force: true });
    withFile(this.dir, 'r', fsyncSync);
  }

  /** Two agents never share a file: no id has an `@`. */
  #path(fleet: string): string {
    return join(this.dir, `${this.agent}@${fleet}${SUFFIX}`);
  }

  /** Path under which emitters that knew of no fleets have stored their last order. */
  #unattributedPath(): string {
    return join(this.dir, `${this.agent}${SUFFIX}`);
  }

  #filesOfAllFleets(): string[] {
    let names: string[];
    try {
      names = readdirSync(this.dir);
    } catch {
      return [];
    }
    const isOurs = (name: string) => name.startsWith(`${this.agent}@`) && name.endsWith(SUFFIX);
    return names
      .filter(isOurs)
      .sort()
      .map((name) => join(this.dir, name));
  }
}

function writeDraft(draft: string, text: string): void {
  withFile(draft, 'wx', (file) => {
    // A umask may have taken the owner's rights, too.
    fchmodSync(file, 0o600);
    writeSync(file, text);
    fsyncSync(file);
  });
}

function withFile(path: string, flags: string, use: (file: number) => void): void {
  const file = openSync(path, flags, 0o600);
  try {
    use(file);
  } finally {
    closeSync(file);
  }
}

/** Reads a file; null if there is none. */
function readFile(path: string): string | null {
  const stat = statOf(path);
  if (stat === null) return null;
  if (!stat.isFile() || stat.size > LENGTH_MAX) throw new Error('it is not a state file');
  const text = readFileSync(path, 'latin1');
  if (text === '') throw new Error('it is damaged');
  return text;
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Below what is no directory there is no file; that nothing can be stored is said when it is.
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

function format(applied: AppliedStates): string {
  return applied.states
    .map(({ control, generation, killed }) => {
      const word = killed ? 'killed' : 'running';
      return `heartline 2 control ${control} generation ${generation} ${word}\n`;
    })
    .join('');
}

/** Parses a file; throws when it is not whole. */
function parse(text: string): DesiredState[] {
  if (text === '') return [];
  if (!text.endsWith('\n')) throw new Error('it is damaged');
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      const [, control, generation, word] = LINE.exec(line) ?? [];
      return parseState(control, generation, word);
    });
}

function parseUnattributed(text: string | null): DesiredState | null {
  if (text === null) return null;
  const [, generation, word] = UNATTRIBUTED_LINE.exec(text) ?? [];
  return parseState(UNATTRIBUTED, generation, word);
}

function parseState(control?: string, generation?: string, word?: string): DesiredState {
  if (control === undefined || generation === undefined || BigInt(generation) > GENERATION_MAX) {
    throw new Error('it is damaged');
  }
  return { control, generation: toUint(BigInt(generation)), killed: word === 'killed' };
}

function unreadable(path: string, error: unknown): Problem {
  const message =
    `can't read the desired state at ${path}: ${reasonOf(error)}; ` +
    'until the collector answers, the agent runs';
  return problem('StateUnreadable', message);
}

function unattributed(path: string): Problem {
  const message =
    `the agent is killed by ${path}, which does not say of which fleet: resume it; ` +
    'if the kill is of another fleet, remove the file';
  return problem('UnattributedKill', message);
}
