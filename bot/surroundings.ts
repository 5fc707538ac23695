/**
 * What a command that talks to a service asks of the process it runs in.
 *
 * @module
 */

/** The process's environment and its clock. */
export interface Surroundings {
  /** A variable of the environment; null: not set, or not to be read. */
  env(name: string): string | null;
  /** How long a second is: 1000 outside of tests. */
  readonly secondMs: number;
}

/** The process that this is. */
export const PROCESS: Surroundings = {
  env(name) {
    // To ask without a permission would stop and prompt.
    return Deno.permissions.querySync({ name: "env", variable: name }).state === "granted"
      ? Deno.env.get(name) ?? null
      : null;
  },
  secondMs: 1000,
};
