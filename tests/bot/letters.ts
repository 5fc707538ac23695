/**
 * Mails for tests of the bot: patches of our own with a mistake or without, answers, and the things around them.
 *
 * @module
 */

/** What a mail is made of. */
export interface LetterParts {
  readonly id?: string;
  readonly subject?: string;
  readonly from?: string;
  readonly to?: string;
  readonly cc?: string;
  readonly list?: string | null;
  readonly date?: string;
  readonly inReplyTo?: string;
  readonly references?: readonly string[];
  /** More head fields, whole lines. */
  readonly more?: readonly string[];
  readonly body?: string;
}

/** The list that the tests' mails come through. */
export const LIST = { id: "linux-foo.example.org", address: "linux-foo@example.org" };
export const AUTHOR = "Ada Example <ada@example.com>";
const DATE = "Mon, 5 Jan 2026 10:00:00 +0000";

let count = 0;

/** A mail. Without an id each gets one of its own. */
export function letter(parts: LetterParts = {}): string {
  const { list = LIST.id, references = [] } = parts;
  return [
    `From: ${parts.from ?? AUTHOR}`,
    `To: ${parts.to ?? LIST.address}`,
    ...(parts.cc === undefined ? [] : [`Cc: ${parts.cc}`]),
    `Subject: ${parts.subject ?? "[PATCH] misc: foo: start the engine"}`,
    `Date: ${parts.date ?? DATE}`,
    `Message-ID: <${parts.id ?? `letter-${++count}@example.com`}>`,
    ...(parts.inReplyTo === undefined ? [] : [`In-Reply-To: <${parts.inReplyTo}>`]),
    ...(references.length === 0 ? [] : [`References: ${references.map((id) => `<${id}>`).join("\n ")}`]),
    ...(list === null ? [] : [`List-Id: <${list}>`]),
    ...(parts.more ?? []),
    "",
    parts.body ?? `${mistake()}`,
  ].join("\n");
}

/** A patch that maps a BAR with dma_map_resource() for another device: one error of high confidence. */
export function mistake(path = "drivers/misc/foo.c", name = "foo_export_map", pad = 0): string {
  return patch(path, [
    ...Array.from({ length: pad }, (_, at) => `#define FOO_REG_${at} ${at}`),
    `static dma_addr_t ${name}(struct foo *foo, struct dma_buf_attachment *attach)`,
    "{",
    "\tphys_addr_t phys = pci_resource_start(foo->pdev, 2);",
    "\tdma_addr_t addr;",
    "",
    "\taddr = dma_map_resource(attach->dev, phys, foo->len, DMA_BIDIRECTIONAL, 0);",
    "\tif (dma_mapping_error(attach->dev, addr))",
    "\t\treturn 0;",
    "\treturn addr;",
    "}",
  ]);
}

/** A patch with nothing to be said of, though it holds names that the rules know. */
export function innocent(path = "drivers/misc/foo.c"): string {
  return patch(path, [
    "static int foo_mask(struct foo *foo)",
    "{",
    "\treturn dma_set_mask_and_coherent(foo->dev, DMA_BIT_MASK(64));",
    "}",
  ]);
}

/** A patch that no rule could have an opinion of. */
export const dull = (path = "drivers/misc/foo.c"): string =>
  patch(path, ["static int foo_count(struct foo *foo)", "{", "\treturn foo->count;", "}"]);

function patch(path: string, lines: readonly string[]): string {
  return [
    "Do what has to be done.",
    "",
    "Signed-off-by: Ada Example <ada@example.com>",
    "---",
    ` ${path} | ${lines.length} ++++`,
    ` 1 file changed, ${lines.length} insertions(+)`,
    "",
    `diff --git a/${path} b/${path}`,
    "new file mode 100644",
    "index 000000000000..0123456789ab",
    "--- /dev/null",
    `+++ b/${path}`,
    `@@ -0,0 +1,${lines.length} @@`,
    ...lines.map((line) => `+${line}`),
    "-- ",
    "2.47.0",
    "",
  ].join("\n");
}
