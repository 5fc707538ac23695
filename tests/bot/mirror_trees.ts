/**
 * An author's tree and a mirror of the kernel, in real repositories: what is mailed from one becomes a pull request of
 * the other, as kernel-patches-daemon does it. The mirror's files have more lines, and git shows other functions behind
 * `@@` there.
 *
 * @module
 */

import { dirname, join } from "@std/path";
import { git } from "../tree/made_tree.ts";
import type { PullState } from "./github_server.ts";
import { LIST, mistake } from "./letters.ts";

/** A function in which a label stands in column 0: without `diff=cpp` git takes it for the function's head. */
const FOO = `int foo_map(struct foo *foo, struct dma_buf_attachment *attach)
{
	dma_addr_t addr;

	if (!foo->len)
		goto out;
	foo_start(foo);
	foo_wait(foo);
out:
	foo_a(foo);
	foo_b(foo);
	foo_c(foo);
	foo_d(foo);
	foo->addr = addr;
	foo_e(foo);
	foo_f(foo);
	foo_g(foo);
	return 0;
}
`;

export const FOO_PATH = "drivers/misc/foo.c";

/** The body of `foo_map()` with a mistake: a BAR mapped for another device. */
export const wrong = FOO.replace(
  "\tfoo->addr",
  "\taddr = dma_map_resource(attach->dev, pci_resource_start(foo->pdev, 2), foo->len, DMA_BIDIRECTIONAL, 0);\n\tfoo->addr",
);
/** The same place without one. */
export const right = FOO.replace("\tfoo->addr", "\taddr = foo_address(foo);\n\tfoo->addr");

/** A file of its own with a mistake, after some lines without. */
export const fileWith = (pad: number, name = "bar_map"): string =>
  mistake("x", name, pad).split("\n").filter((line) => /^\+(?!\+\+)/.test(line)).map((line) => line.slice(1))
    .join("\n") + "\n";

/** A commit to be mailed. */
export interface Change {
  readonly title: string;
  readonly files: Readonly<Record<string, string>>;
  /** `Name <address>`; the tree's owner unless told. */
  readonly author?: string;
}

/** How it is mailed. */
export interface Mailing {
  readonly version?: number;
  readonly cover?: string;
  /** More options of `git format-patch`. */
  readonly options?: readonly string[];
}

export class Trees {
  readonly author: string;
  readonly mirror: string;

  constructor(readonly folder: string) {
    this.author = join(folder, "author");
    this.mirror = join(folder, "mirror");
    for (const tree of [this.author, this.mirror]) {
      Deno.mkdirSync(tree);
      git(tree, "init", "-q");
      put(tree, { [FOO_PATH]: tree === this.mirror ? `/* One. */\n/* Two. */\n/* Three. */\n${FOO}` : FOO });
      git(tree, "add", "-A");
      git(tree, "commit", "-qm", "base");
      git(tree, "tag", "base");
    }
    Deno.writeTextFileSync(join(this.author, ".git/info/attributes"), "*.c diff=cpp\n");
  }

  /** Commits the changes upon the base, and gives the mails that `git format-patch` makes of them. */
  mail(changes: readonly Change[], { version = 1, cover, options = [] }: Mailing = {}): readonly string[] {
    const { author: tree } = this;
    git(tree, "checkout", "-q", "--detach", "base");
    for (const { title, files, author } of changes) {
      put(tree, files);
      git(tree, "add", "-A");
      const by = author === undefined ? [] : [`--author=${author}`];
      git(tree, "commit", "-q", ...by, "-m", `${title}\n\nBecause it has to be done.`);
    }
    const text = git(
      tree,
      "format-patch",
      "--stdout",
      "--thread=shallow",
      `--reroll-count=${version}`,
      `--to=${LIST.address}`,
      `--add-header=List-Id: <${LIST.id}>`,
      ...(cover === undefined ? [] : ["--cover-letter"]),
      ...options,
      "base..HEAD",
    );
    return `${text}\n`.split(/^From [0-9a-f]{40} .*\n/m).slice(1).map((mail) =>
      cover === undefined ? mail : mail
        .replace("*** SUBJECT HERE ***", cover)
        // Covers of one second have one id.
        .replaceAll("<cover.", `<cover.v${version}.`)
    );
  }

  /** Applies the mails upon the base of the mirror, and pushes them to the pull request. */
  push(mails: readonly string[], pull: PullState): void {
    const { mirror: tree } = this;
    const box = join(this.folder, "series.mbox");
    const patches = mails.filter((mail) => mail.includes("\ndiff --git "));
    Deno.writeTextFileSync(
      box,
      patches.map((mail) => `From x Mon Sep 17 00:00:00 2001\n${mail}\n`).join(""),
    );
    git(tree, "checkout", "-q", "--detach", "base");
    git(tree, "am", "-q", box);
    pushHead(tree, pull);
  }
}

/** A repository with the kernel's files of `fixtures/tree`, committed and tagged `base`. */
export function fixtureTree(tree: string): void {
  const from = new URL("../../fixtures/tree/", import.meta.url).pathname;
  for (const path of walk(from)) {
    const to = join(tree, path.slice(from.length));
    Deno.mkdirSync(dirname(to), { recursive: true });
    Deno.copyFileSync(path, to);
  }
  git(tree, "init", "-q");
  git(tree, "add", "-A");
  git(tree, "commit", "-qm", "start");
  git(tree, "tag", "base");
}

function* walk(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* walk(`${join(folder, name)}/`);
    else yield join(folder, name);
  }
}

/** Makes HEAD the head of the pull request, upon the commit that is tagged `base`. */
export function pushHead(tree: string, pull: PullState): void {
  pull.base = git(tree, "rev-parse", "base");
  pull.head = git(tree, "rev-parse", "HEAD");
  pull.patch = `${git(tree, "format-patch", "--stdout", "base..HEAD")}\n`;
  const names = git(tree, "diff", "--name-only", "-z", "base", "HEAD").split("\0").filter((name) =>
    name !== ""
  );
  pull.files = names.map((filename) => ({
    filename,
    patch: git(tree, "diff", "base", "HEAD", "--", filename).replace(/^[^]*?(?=^@@)/m, ""),
  }));
}

function put(tree: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    Deno.mkdirSync(dirname(join(tree, path)), { recursive: true });
    Deno.writeTextFileSync(join(tree, path), text);
  }
}

/** A pull request of the mirror; nothing is in it yet. */
export const emptyPull = (title: string, more: Partial<PullState> = {}): PullState => ({
  number: 7,
  title,
  state: "open",
  head: "0".repeat(40),
  base: "0".repeat(40),
  isFork: false,
  branch: "series/1=>foo",
  files: [],
  patch: "",
  ...more,
});

/** Message-ID of a mail. */
export const idOf = (mail: string): string => /^Message-ID: <(.*)>$/mi.exec(mail)![1]!;
