/**
 * From the configuration of a mirror to the way in.
 *
 * @module
 */

import meta from "../../deno.json" with { type: "json" };
import { appAuth } from "../github/app_auth.ts";
import type { Log } from "../ports.ts";
import { type MirrorConfig, readSecret } from "../watch_config.ts";
import type { Mirror } from "./sink.ts";

/** @throws {ConfigError} If a secret is not there */
export function mirrorOf(
  { name, repository, api, token, app }: MirrorConfig,
  log: Log,
): Mirror {
  const [owner, repo] = repository.split("/") as [string, string];
  return {
    name,
    repository: { owner, name: repo },
    client: {
      baseUrl: api,
      auth: app === null
        ? readSecret(token!)
        : appAuth({ appId: app.id, installation: app.installation, privateKey: readSecret(app.key) }),
      userAgent: `${meta.name}/${meta.version}`,
      log: (said) => log.warn("github", { mirror: name, said }),
      // Nobody else's mail waits for a limit: the post is tried again.
      maxWaitSeconds: 0,
    },
  };
}
