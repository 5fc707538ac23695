import { deepEqual } from "node:assert/strict";
import { fileFromSource } from "../../rules/engine/diff.ts";
import { createLinter } from "../../rules/engine/lint.ts";
import { mailFromText } from "../../rules/engine/mail.ts";
import { INTEREST } from "../../rules/kernel/mod.ts";
import { rules } from "../../rules/mod.ts";
import { loadGrammar } from "../grammar.ts";

const linter = createLinter({ rules, interest: INTEREST, load: loadGrammar });

/** What is reported of a source that is shown whole, as `line rule/key`. */
async function reported(text: string): Promise<readonly string[]> {
  const files = [fileFromSource("drivers/foo/foo.c", text)];
  const mail = mailFromText("", { input: "foo.c", position: null });
  const { findings } = await linter.lint({ mail, files, defects: [], baseCommit: null, changeId: null });
  return findings.map(({ at, rule, key }) => `${at.line} ${rule}/${key}`);
}

const driver = (first: string, second: string) =>
  `static int foo_send(struct foo *foo, struct foo_cmd *cmd)
{
	cmd->addr = dma_map_single(foo->dev, cmd->data, cmd->len, DMA_TO_DEVICE);
	if (dma_mapping_error(foo->dev, cmd->addr))
		return -ENOMEM;
	foo_queue(foo, cmd);
	return 0;
}

static void foo_done(struct foo *foo, struct foo_cmd *one)
{
	dma_unmap_single(foo->dev, one->addr, one->len, ${first});
	kfree(one);
}

static void foo_abort(struct foo *foo, struct foo_cmd *old)
{
	dma_unmap_single(foo->dev, old->addr, old->len, ${second});
	foo_reset(foo);
}
`;

Deno.test("one of several that release a field has another direction than all the rest", async () => {
  deepEqual(await reported(driver("DMA_FROM_DEVICE", "DMA_TO_DEVICE")), [
    "12 dma-unmap-args-mismatch/direction",
  ]);
});

Deno.test("where nobody agrees with the mapping in sight, another one may be out of sight", async () => {
  deepEqual(await reported(driver("DMA_TO_DEVICE", "DMA_TO_DEVICE")), []);
  deepEqual(await reported(driver("DMA_FROM_DEVICE", "DMA_FROM_DEVICE")), []);
});
