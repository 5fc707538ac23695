/**
 * Where in the kernel tree a file stands, as far as rules care: the code that implements the DMA API looks wrong on
 * purpose, test code is not run on hardware.
 *
 * @module
 */

import type { SourceFile } from "../engine/source.ts";
import { DMAENGINE_PATHS, IMPLEMENTATION_PATHS, isUnder, TEST_FILE, TEST_PATHS } from "../kernel/names.ts";

/** Whether the file implements what the rules are about, or is no driver code at all. */
export function isImplementation(file: SourceFile): boolean {
  return isUnder(file.path, IMPLEMENTATION_PATHS) || isTest(file);
}

/** Whether the file is a test, a sample or a tool. */
export function isTest(file: SourceFile): boolean {
  return isUnder(file.path, TEST_PATHS) || TEST_FILE.test(file.path);
}

/** Whether the file is a DMA engine provider, which maps the FIFOs of other devices by design. */
export function isDmaEngine(file: SourceFile): boolean {
  return isUnder(file.path, DMAENGINE_PATHS);
}
