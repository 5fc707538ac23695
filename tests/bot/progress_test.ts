import { equal } from "node:assert/strict";
import { progressOn } from "../../bot/progress.ts";
import { keep } from "./reports.ts";

const ERASE = "\r\x1b[K";

function after(steps: number, isErrTerminal: boolean, isWanted = true): string {
  const terminal = keep({ isErrTerminal });
  const progress = progressOn(terminal, isWanted);
  for (let step = 0; step < steps; step++) progress.step("box");
  progress.clear();
  equal(terminal.printed.out, "");
  return terminal.printed.err;
}

Deno.test("progressOn() shows a count on a terminal and takes it away", () => {
  equal(after(512, true), `${ERASE}box: 512 messages${ERASE}`);
});

Deno.test("progressOn() is silent for a short run, in a pipe, and where nobody wants it", () => {
  equal(after(3, true), "");
  equal(after(2000, false), "");
  equal(after(2000, true, false), "");
});
