/** The one error that requests to the API server fail with, and the questions that callers ask of it. */

/** `status` 0 means that no answer came: `reason` is then Timeout, ConnectionFailed or Stopped. Else it is the reason of the API's Status object. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly status: number;
  readonly reason: string;
  /** How long the server asks us to wait, from Retry-After or from Status.details; undefined if it did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(fields: { status: number; reason: string; message: string; retryAfterMs?: number | undefined; cause?: unknown }) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.status = fields.status;
    this.reason = fields.reason;
    this.retryAfterMs = fields.retryAfterMs;
  }
}

const hasStatus = (error: unknown, status: number): boolean => error instanceof KubeError && error.status === status;

/** The object does not exist. */
export const isNotFound = (error: unknown): boolean => hasStatus(error, 404);

/** Somebody was faster: the resourceVersion moved, the name is taken, or a JSON patch did not apply (422). */
export const isConflict = (error: unknown): boolean => hasStatus(error, 409) || isFailedTest(error);

/** The watch's or list's resourceVersion is too old. */
export const isGone = (error: unknown): boolean => hasStatus(error, 410);

/** The server asks us to slow down; see retryAfterMs. */
export const isThrottled = (error: unknown): boolean => hasStatus(error, 429);

/** Nobody answered, or the server says that it cannot now. Trying again later may help; whether the request took effect is unknown. */
export const isUnavailable = (error: unknown): boolean =>
  error instanceof KubeError && (error.status === 0 || error.status === 502 || error.status === 503 || error.status === 504);

/** The request timed out on our side or on the server's: whether it took effect is unknown. */
export const isTimeout = (error: unknown): boolean =>
  error instanceof KubeError && (error.reason === "Timeout" || error.status === 504);

/**
 * A JSON patch that does not apply (a `test` that fails, a path that is not there) gets 422 and nothing but this sentence: the object is not
 * as the patch supposed. Objects that break a rule get 422 too, but are told which.
 */
const isFailedTest = (error: unknown): boolean =>
  error instanceof KubeError &&
  error.status === 422 &&
  error.message.endsWith("the server rejected our request due to an error in our request");

/** Shapes the body of a failed answer (a Status object, or some proxy's text) into a KubeError. */
export function errorFromAnswer(what: string, status: number, body: string, retryAfter: string | undefined): KubeError {
  let reason = `Http${status}`;
  let message = body.slice(0, 500).trim();
  let retryAfterMs = retryAfter !== undefined && /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined;
  try {
    const parsed = JSON.parse(body) as { reason?: string; message?: string; details?: { retryAfterSeconds?: number } };
    reason = parsed.reason || reason;
    message = parsed.message || message;
    if (parsed.details?.retryAfterSeconds !== undefined) retryAfterMs = parsed.details.retryAfterSeconds * 1000;
  } catch {
    // Not a Status object: the raw text is the best message that there is.
  }
  return new KubeError({ status, reason, message: `${what}: ${status} ${message || reason}`, retryAfterMs });
}
