/**
 * To act as a GitHub App. The only file that names @octokit/auth-app.
 *
 * @module
 */

import { createAppAuth } from "@octokit/auth-app";
import type { Auth } from "./client.ts";

/** What an App is known by. */
export interface AppIdentity {
  readonly appId: string;
  /** PEM. */
  readonly privateKey: string;
  readonly installation: number;
}

/** The App's installation as an author. Its token is asked for with the first request, and again when it is old. */
export function appAuth({ appId, privateKey, installation }: AppIdentity): Auth {
  return { strategy: createAppAuth, options: { appId, privateKey, installationId: installation } };
}
