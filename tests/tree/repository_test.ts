import { deepEqual, equal, match, notEqual, ok, throws } from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "@std/path";
import { openRepository } from "../../bot/source/repository.ts";
import { TreeError } from "../../bot/source/tree_error.ts";
import { blobId } from "../../rules/tree/blob.ts";
import { commit, git, MARKS, withFolder, write } from "./made_tree.ts";

const FILES = { ...MARKS, "drivers/a.c": "a\n", "drivers/b.h": "b\n", "drivers/sub/c.c": "c\n" };

/** What is asked of both kinds of tree. */
function check(folder: string, root = folder): void {
  const { head } = openRepository(folder);
  deepEqual(head.read("drivers/a.c"), {
    path: "drivers/a.c",
    text: "a\n",
    blob: git(root, "hash-object", join(root, "drivers/a.c")),
  });
  equal(head.read("drivers/b.h")?.text, "b\n");
  deepEqual(head.list("drivers"), ["drivers/a.c", "drivers/b.h"]);
  deepEqual(head.list(""), ["Kbuild", "MAINTAINERS"]);
  deepEqual(head.list("nothing"), []);
  deepEqual(head.folders("drivers"), ["drivers/sub"]);
  deepEqual([head.folders("nothing"), head.folders(".."), head.folders("drivers/sub")], [[], [], []]);
  for (
    const path of [
      "",
      "drivers",
      "drivers/a.c/",
      "drivers//a.c",
      "drivers/none.c",
      "none/a.c",
      "a\nb",
      "a\0b",
    ]
  ) {
    equal(head.read(path), null, JSON.stringify(path));
  }
  for (
    const path of [
      "../a.c",
      "drivers/../drivers/a.c",
      "./drivers/a.c",
      "/etc/passwd",
      ".git/config",
      "-h",
      ":/x",
    ]
  ) {
    equal(head.read(path), null, path);
  }
}

Deno.test("openRepository() reads a folder of sources, from any folder in it", () => {
  withFolder((folder) => {
    write(folder, FILES);
    check(folder);
    check(join(folder, "drivers"), folder);
    const repository = openRepository(folder);
    equal(repository.name, folder);
    equal(repository.at("0123456789ab"), null);
    equal(repository.blob("0123456789ab"), null);
  });
});

Deno.test("openRepository() reads the commits of a worktree, a linked one, a bare repository", () => {
  withFolder((folder) => {
    const top = join(folder, "top");
    Deno.mkdirSync(top);
    git(top, "init", "-q");
    commit(top, FILES);
    check(top);
    check(join(top, "drivers"), top);
    git(top, "worktree", "add", "-q", "--detach", join(folder, "linked"));
    check(join(folder, "linked"));
    git(top, "clone", "-q", "--bare", top, join(folder, "bare"));
    equal(openRepository(join(folder, "bare")).head.read("drivers/sub/c.c")?.text, "c\n");
  });
});

Deno.test("openRepository() finds a kernel below the root of a larger repository", () => {
  withFolder((folder) => {
    git(folder, "init", "-q");
    write(join(folder, "vendor/linux"), FILES);
    commit(folder, { "README": "" });
    check(join(folder, "vendor/linux"));
    check(join(folder, "vendor/linux/drivers"), join(folder, "vendor/linux"));
  });
});

Deno.test("openRepository() reads a folder that the repository around it does not track", () => {
  withFolder((folder) => {
    git(folder, "init", "-q");
    commit(folder, { "README": "" });
    write(join(folder, "linux"), FILES);
    check(join(folder, "linux"));
  });
});

Deno.test("a repository gives what is committed, at each commit, not what lies in the worktree", () => {
  withFolder((folder) => {
    git(folder, "init", "-q");
    const first = commit(folder, FILES);
    const second = commit(folder, { "drivers/a.c": "second\n", "drivers/new.c": "" });
    write(folder, { "drivers/a.c": "in the worktree\n" });
    git(folder, "branch", "abcdef1");
    const repository = openRepository(folder);
    match(repository.head.name, new RegExp(` at ${second.slice(0, 12)}$`));
    equal(repository.head.read("drivers/a.c")?.text, "second\n");
    equal(repository.head.read("drivers/new.c")?.text, "");
    const tree = repository.at(first);
    equal(tree?.read("drivers/a.c")?.text, "a\n");
    equal(tree?.read("drivers/new.c"), null);
    equal(repository.at(first.slice(0, 12))?.read("drivers/a.c")?.text, "a\n");
    const blob = tree!.read("drivers/a.c")!.blob;
    equal(repository.blob(blob), "a\n");
    equal(repository.blob(blob.slice(0, 7)), "a\n");
    // A branch's name is no id, nor is a blob's a commit's or the other way round.
    for (const id of ["abcdef1", "0".repeat(40), "fedcba9876", "HEAD", "--all", blob, `${first}~1`]) {
      equal(repository.at(id), null, id);
    }
    for (const id of ["abcdef1", "0000000", "fedcba9876", "HEAD", "--all", first, blob.slice(0, 6)]) {
      equal(repository.blob(id), null, id);
    }
  });
});

Deno.test("a tree holds no links, no devices, nothing outside, nothing huge", () => {
  withFolder((folder) => {
    write(folder, { "outside.c": "secret\n" });
    const root = join(folder, "linux");
    write(root, { ...FILES, "huge.c": "x".repeat(5_000_000), "latin.c": new Uint8Array([0xe9, 0x0a]) });
    Deno.symlinkSync("../outside.c", join(root, "link.c"));
    Deno.symlinkSync("drivers/a.c", join(root, "inner.c"));
    Deno.symlinkSync("..", join(root, "up"));
    Deno.symlinkSync("drivers", join(root, "same"));
    Deno.symlinkSync("/dev/zero", join(root, "zero.c"));
    const paths = ["link.c", "inner.c", "up/outside.c", "same/a.c", "zero.c", "huge.c"];
    const ask = () => {
      const { head } = openRepository(root);
      for (const path of paths) equal(head.read(path), null, path);
      deepEqual([head.list("up"), head.list("same")], [[], []]);
      deepEqual(head.list("").filter((path) => path.endsWith("k.c") || path.startsWith("in")), []);
      equal(head.read("latin.c")?.text, "é\n");
    };
    ask();
    git(root, "init", "-q");
    commit(root, {});
    match(openRepository(root).head.name, / at /);
    ask();
  });
});

Deno.test("a tree says what it said before, and remembers only so much", () => {
  withFolder((folder) => {
    write(folder, FILES);
    const { head } = openRepository(folder);
    const first = head.read("drivers/a.c");
    write(folder, { "drivers/a.c": "changed\n", "drivers/new.c": "" });
    equal(head.read("drivers/a.c"), first);
    // Two files of two characters, each with its bytes.
    const small = openRepository(folder, 8).head;
    equal(small.read("drivers/b.h")?.text, "b\n");
    equal(small.read("drivers/sub/c.c")?.text, "c\n");
    write(folder, { "drivers/b.h": "again\n", "drivers/sub/c.c": "z\n" });
    equal(small.read("drivers/sub/c.c")?.text, "c\n");
    equal(small.read("drivers/a.c")?.text, "changed\n");
    equal(small.read("drivers/b.h")?.text, "b\n");
  });
});

Deno.test("git is asked once for the sources of a folder", () => {
  withFolder((folder) => {
    git(folder, "init", "-q");
    const sources = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`net/${i}.c`, `${i}\n`]));
    commit(folder, { ...FILES, ...sources });
    const { head } = openRepository(folder);
    equal(head.read("net/0.c")?.text, "0\n");
    // Without the repository, what was not read ahead is gone.
    Deno.removeSync(join(folder, ".git"), { recursive: true });
    for (let i = 0; i < 200; i++) equal(head.read(`net/${i}.c`)?.text, `${i}\n`);
    equal(head.read("drivers/a.c"), null);
  });
});

Deno.test("a partial clone gives what it has, and fetches nothing", () => {
  withFolder((folder) => {
    const full = join(folder, "full");
    Deno.mkdirSync(full);
    git(full, "init", "-q");
    const first = commit(full, FILES);
    commit(full, { "drivers/a.c": "second\n" });
    git(full, "config", "uploadpack.allowFilter", "true");
    const part = join(folder, "part");
    git(folder, "clone", "-q", "--filter=blob:none", `file://${full}`, part);
    const repository = openRepository(part);
    const at = repository.at(first);
    equal(repository.head.read("drivers/a.c")?.text, "second\n");
    equal(at?.read("drivers/a.c"), null);
    equal(at?.read("drivers/b.h")?.text, "b\n");
    deepEqual(at?.list("drivers"), ["drivers/a.c", "drivers/b.h"]);
  });
});

Deno.test("openRepository() says what is wrong with a folder, and what to do", () => {
  const says = (folder: string, what: RegExp) =>
    throws(() => openRepository(folder), (error) => error instanceof TreeError && what.test(error.message));
  withFolder((folder) => {
    says(join(folder, "none"), /none: no such folder$/);
    says(folder, /no kernel tree: neither it nor a folder above it holds MAINTAINERS and Kbuild$/);
    write(folder, { file: "" });
    says(join(folder, "file"), /file: not a folder$/);
    git(folder, "init", "-q");
    says(folder, /and no HEAD of git does$/);
    commit(folder, FILES);
  });
});

Deno.test({
  name: "openRepository() names the permission that is missing",
  permissions: { read: false, run: false },
  fn: () => throws(() => openRepository("/usr"), /deno may not read it: add --allow-read=\/usr$/),
});

Deno.test("openRepository() says so where git is not installed", () => {
  withFolder((folder) => {
    git(folder, "init", "-q");
    const path = Deno.env.get("PATH")!;
    Deno.env.set("PATH", folder);
    try {
      throws(() => openRepository(folder), /git is not installed/);
    } finally {
      Deno.env.set("PATH", path);
    }
  });
});

const PROJECT = new URL("../../", import.meta.url).pathname;
const isCheckout = existsSync(join(PROJECT, ".git"));

Deno.test({
  name: `openRepository() names the permission for git${
    isCheckout ? "" : " (skipped: the project is no checkout)"
  }`,
  ignore: !isCheckout,
  permissions: { read: true, run: false },
  fn: () => throws(() => openRepository(PROJECT), /deno may not run git.*add --allow-run=git$/),
});

Deno.test("blobId() is git's", () => {
  equal(blobId(new Uint8Array()), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  notEqual(blobId(new Uint8Array([0])), blobId(new Uint8Array([0, 0])));
  ok(/^[0-9a-f]{40}$/.test(blobId(new Uint8Array([1]))));
});
