/**
 * What the demo and the tests use of the cluster tool. Every function works on the cluster called "redis-ha" unless another
 * name is given, and throws an error that says what to do when that cluster does not run.
 */
export { addressInUse, giveNext } from "./addresses.ts";
export { buildCertManager } from "./build/cert-manager.ts";
export { leftovers } from "./cleanup.ts";
export { containerPid, containerProcesses, giveAddressNext, limitMemory, oomKills } from "./containers.ts";
export { delay } from "./delay/delay.ts";
export { buildProjectImages, type ProjectImage, projectImageName } from "./images/project.ts";
export { DEFAULT_NAME, down, type UpOptions, up } from "./lifecycle.ts";
export {
  auditLogPaths,
  type Choice,
  certificateFiles,
  heal,
  kubeconfigPath,
  kubectl,
  load,
  nodeCommand,
  nodeExec,
  nodeNames,
  partition,
  poweroff,
  poweron,
  signalDaemon,
} from "./operate.ts";
export { type PodLog, podLogs } from "./pod-logs.ts";
export { type RunOptions, type RunResult, waitFor } from "./process.ts";
