import { deepEqual, equal, ok } from "node:assert/strict";
import { readConfig } from "../../bot/watch_config.ts";

const read = (path: string) => Deno.readTextFile(new URL(`../../${path}`, import.meta.url));

Deno.test("README's configuration of the bot is one", async () => {
  const blocks = [...(await read("README.md")).matchAll(/^```json\n([^]*?)^```$/gm)].map(([, json]) => json!);
  const [example] = blocks.filter((json) => json.includes('"accounts"'));
  ok(example !== undefined);
  equal(readConfig(example, "/etc/p2plint/p2plint.json").lists[0]!.mode, "moderated");
});

Deno.test("README, systemd unit and container file give the bot the same permissions", async () => {
  const permissionsIn = (text: string) =>
    [...text.matchAll(/--(?:allow-[a-z]+(?:=[^\s"]+)?|v8-flags=[^\s"]+)/g)].map(([flag]) => flag).sort();
  const readme = /^deno run --no-prompt --v8[^]*?watch --config/m.exec(await read("README.md"))![0];
  deepEqual(permissionsIn(await read("bot/deploy/p2plint.service")), permissionsIn(readme));
  const container = permissionsIn((await read("bot/deploy/Containerfile")).replace(/^#.*/gm, ""));
  // Which hosts, the container cannot know.
  const anyHost = permissionsIn(readme).map((flag) => flag.replace(/^(--allow-net)=.*/, "$1"));
  deepEqual(container, anyHost.sort());
});
