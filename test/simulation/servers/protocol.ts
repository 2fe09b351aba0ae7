/** What travels on a connection to a simulated redis or sentinel. */

/** from the client */
export interface Commands {
  /** AUTH and CLIENT SETNAME, first of all */
  readonly hello?: { readonly password: string | undefined; readonly name: string };
  readonly commands?: readonly (readonly string[])[];
}

/** from the server */
export interface Answers {
  readonly replies?: readonly unknown[];
  readonly push?: { readonly channel: string; readonly text: string };
  readonly denied?: boolean;
}

export class ReplyError extends Error {
  override readonly name = "ReplyError";
}

export const error = (text: string): ReplyError => new ReplyError(text);
