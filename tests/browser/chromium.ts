/**
 * Debian's Chromium for tests: installed when it is not there and the machine lets us, null when it cannot be had.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";

/** What to type where the tests may not install it. */
export const INSTALL = "apt-get update && apt-get install -y chromium";

// Without these Chromium calls home, and says on every start that it could not.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Chromium; null when there is none and none can be installed. */
export async function launch(): Promise<Browser | null> {
  const executablePath = await find() ?? (await install() ? await find() : null);
  return executablePath === null ? null : await chromium.launch({ executablePath, args: FLAGS });
}

async function find(): Promise<string | null> {
  for (const path of [Deno.env.get("CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser"]) {
    if (path !== undefined && await Deno.stat(path).then(() => true, () => false)) return path;
  }
  return null;
}

/** Installs Debian's package, as root on Debian only. */
async function install(): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  for (
    const args of [["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"]]
  ) {
    try {
      const env = { DEBIAN_FRONTEND: "noninteractive" };
      const { success } = await new Deno.Command("apt-get", { args, env, stdout: "null", stderr: "null" })
        .output();
      if (!success) return false;
    } catch (error) {
      // No Debian.
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }
  return true;
}
