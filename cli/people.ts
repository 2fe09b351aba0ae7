/** The commands for people, in the order of the help. */
import type { Command } from "commander";
import { historyCommand } from "./change/history-command.ts";
import { promoteCommand } from "./change/promote-command.ts";
import { switchoverCommand } from "./change/switchover-command.ts";
import { completionCommand } from "./completion.ts";
import { dashboardCommand } from "./dashboard-command.ts";
import { doctorCommand } from "./doctor/doctor-command.ts";
import { explainCommand } from "./inject/explain-command.ts";
import { injectCommand, uninjectCommand } from "./inject/inject-command.ts";
import { installCommand } from "./install/install-command.ts";
import { uninstallCommand } from "./install/uninstall-command.ts";
import { statusCommand } from "./status/status-command.ts";

export const peopleCommands = (): Command[] => [
  statusCommand(),
  switchoverCommand(),
  historyCommand(),
  dashboardCommand(),
  doctorCommand(),
  explainCommand(),
  injectCommand(),
  uninjectCommand(),
  promoteCommand(),
  installCommand(),
  uninstallCommand(),
  completionCommand(),
];
