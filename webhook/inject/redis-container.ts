/** The user's Redis container: its command is wrapped, its environment and mounts are completed. Everything else stays as it is. */
import { INJECTED } from "../../model/names.ts";
import { covers, field, type JsonObject, named, strings } from "../json.ts";
import { COMMAND_GIVEN, groupEnv, injectEnv } from "./env.ts";
import type { Patch } from "./patch.ts";
import { type PodView, startsWithOurs } from "./view.ts";
import { injectMounts, redisMounts } from "./volumes.ts";

export function injectRedis(view: PodView, patch: Patch): void {
  const { object, index } = view.target;
  const path = ["spec", "containers", index];
  injectEnv(view, patch, object, path, groupEnv(view));
  if (!startsWithOurs(object, INJECTED.redisCommand)) wrapCommand(patch, object, path);
  injectMounts(patch, object, path, redisMounts(view));
}

/**
 * The original command and arguments become the arguments of our script, which starts them in the end. Kubernetes ignores the image's own command as soon
 * as a `command` is set, and our script cannot see what that was: so it is told whether the user's pod had one, and takes the image's entrypoint if not.
 */
function wrapCommand(patch: Patch, container: JsonObject, path: (string | number)[]): void {
  const command = strings(field(container, "command"));
  const original = [...(command ?? []), ...(strings(field(container, "args")) ?? [])];
  patch.set(path, container, "command", [INJECTED.redisCommand]);
  // Where there was only `args`, it says the same already.
  if (command !== undefined) patch.set(path, container, "args", original);

  const list = field(container, "env");
  const variable = { name: COMMAND_GIVEN, value: command === undefined ? "no" : "yes" };
  const found = named(list, COMMAND_GIVEN);
  if (found !== undefined) {
    if (!covers(found.object, variable)) patch.replace([...path, "env", found.index], variable);
  } else if (command !== undefined) patch.append([...path, "env"], list, variable);
}
