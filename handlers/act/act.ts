/** Carries out one action: the only switch over their kinds. */
import type { Action } from "../../model/plan.ts";
import { adopt, copy, release } from "./adopt.ts";
import type { ActContext, ActResult } from "./context.ts";
import { cut } from "./cut.ts";
import { fence } from "./fence.ts";
import { handover } from "./handover.ts";
import { claim, markPod, markService, restoreRecord } from "./marks.ts";
import { promote } from "./promote.ts";
import { attach, configureRedis, unpause } from "./redis.ts";
import { route } from "./route.ts";
import { forget, giveSlot, hello, monitor, restartSentinel, sentinelFailover, setSentinel } from "./sentinels.ts";

/** Never rejects for a fault of the world; a rejection is our own bug. */
export function act(context: ActContext, action: Action): Promise<ActResult> {
  switch (action.kind) {
    case "route":
      return route(context, action);
    case "claim":
      return claim(context, action);
    case "restore-record":
      return restoreRecord(context, action);
    case "promote":
      return promote(context, action);
    case "sentinel-failover":
      return sentinelFailover(context, action);
    case "handover":
      return handover(context, action);
    case "fence":
      return fence(context, action);
    case "copy":
      return copy(context, action);
    case "adopt":
      return adopt(context, action);
    case "release":
      return release(context, action);
    case "attach":
      return attach(context, action);
    case "configure-redis":
      return configureRedis(context, action);
    case "monitor":
      return monitor(context, action);
    case "hello":
      return hello(context, action);
    case "set-sentinel":
      return setSentinel(context, action);
    case "forget":
      return forget(context, action);
    case "restart-sentinel":
      return restartSentinel(context, action);
    case "give-slot":
      return giveSlot(context, action);
    case "mark-pod":
      return markPod(context, action);
    case "mark-service":
      return markService(context, action);
    case "unpause":
      return unpause(context, action);
    case "cut":
      return cut(context, action);
  }
}
