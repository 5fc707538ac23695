import { deepEqual, equal } from "node:assert/strict";
import { atHead, laterSpan } from "../../bot/head_lines.ts";
import { commitsOf } from "../../bot/source/commits.ts";
import { generator } from "../random.ts";
import { commit, git, MARKS, withFolder } from "../tree/made_tree.ts";
import { finding, report, span } from "./reports.ts";

Deno.test("laterSpan() finds every line of a file again after commits by chance, or says that it is gone", () => {
  withFolder((folder) => {
    git(folder, "init", "-q");
    const below = generator(7);
    let fresh = 0;
    let lines = Array.from({ length: 60 }, () => `int l${fresh++};`);
    const first = lines;
    const text = () => lines.map((line) => `${line}\n`).join("");
    commit(folder, { ...MARKS, "a.c": text() });
    for (let step = 0; step < 12; step++) {
      for (let edit = 0; edit < 3; edit++) {
        const at = below(lines.length + 1);
        const added = Array.from({ length: below(4) }, () => `int l${fresh++};`);
        lines = lines.toSpliced(at, below(4), ...added);
      }
      commit(folder, { "a.c": text() });
      if (step === 6) {
        git(folder, "mv", "a.c", "b.c");
        commit(folder, {});
        git(folder, "mv", "b.c", "a.c");
        commit(folder, {});
      }
    }
    const { patches } = commitsOf(folder, "HEAD~14..HEAD");
    equal(patches.length, 14);
    let found = 0;
    for (const [i, line] of first.entries()) {
      const later = laterSpan(span(i + 1, 1, line, { path: "a.c" }), patches);
      const expected = lines.indexOf(line);
      equal(later?.line ?? 0, expected + 1, line);
      if (later !== null) found++;
    }
    equal(found > 5 && found < 60, true);
  });
});

Deno.test("atHead() moves a finding and its evidence, and leaves what is gone where it was", () => {
  withFolder((folder) => {
    git(folder, "init", "-q");
    commit(folder, { ...MARKS, "a.c": "int a;\nint b;\nint c;\n" });
    commit(folder, { "a.c": "int n;\nint a;\nint c;\n" });
    git(folder, "mv", "a.c", "z.c");
    git(folder, "commit", "-qm", "moved");
    const { patches } = commitsOf(folder, "HEAD~2..HEAD");
    const at = (line: number) => span(line, 1, "", { path: "a.c" });
    const one = finding({ at: at(3), because: [{ at: at(1), note: "" }, { at: at(2), note: "" }] });
    // The finding is of a commit before the two.
    const [moved] = atHead([report([one]), ...patches.map((patch) => ({ ...report(), patch }))]);
    const { at: place, because } = moved!.findings[0]!;
    deepEqual([place.path, place.line], ["z.c", 3]);
    deepEqual(because.map(({ at }) => [at.path, at.line]), [["z.c", 2], ["a.c", 2]]);
  });
});
