/**
 * What is said when a tree cannot be used.
 *
 * @module
 */

/** The folder that was given as a kernel tree is none, or cannot be read. The message names it and the way out. */
export class TreeError extends Error {
  override readonly name = "TreeError";
}
