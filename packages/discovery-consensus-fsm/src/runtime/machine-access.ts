import type { MachineEvent, MachineState } from '../machine/states.js';

/** What the parts may look at and set in motion. */
export interface MachineAccess {
  /** Where the machine is now. */
  readonly machine: MachineState;
  /** Feeds it; an event that comes while another one is worked off waits for its turn. */
  dispatch(event: MachineEvent): void;
}
