/** Types of yuexin.js. Field names inside plans and reports are those of Yuexin's HTTP API. */

export type Kind = "one_time" | "long_term" | "long_term_limited";

/** What wx.requestSubscribeMessage says of one template; other words are passed on as they are. */
export type Decision = "accept" | "acceptWithAudio" | "acceptWithAlert" | "reject" | "ban" | "filter" | (string & {});

export interface Reason {
  code: string;
  detail: string;
}

export interface PlanEntry {
  template_id: string;
  template?: string;
  kind?: Kind;
  reason?: Reason;
}

export interface LeftOut {
  template_id: string;
  template?: string;
  reason: Reason;
}

/** The answer of GET /v1/apps/{appid}/prompts, handed through by your back end. */
export interface Plan {
  scene?: string;
  ask: PlanEntry[];
  left_out?: LeftOut[];
}

/** What wx.getSetting says of this user's subscriptions. */
export interface Settings {
  /** false: the user switched subscription messages off for this mini program; null: the client did not say. */
  mainSwitch: boolean | null;
  /** Only templates for which "always keep" was ticked: id -> the answer that is repeated without a panel. */
  kept: Record<string, Decision>;
}

export interface PlanRequest extends Settings {
  scene: string;
}

export interface AskError {
  /** WeChat's errCode (10001 to 20013), null where there is none. */
  errcode: number | null;
  errmsg: string;
  code:
    | "no_templates" | "network" | "bad_argument" | "in_background" | "unknown_template" | "kinds_not_mixed"
    | "too_many_templates" | "main_switch_off" | "banned" | "device_template" | "tap_lost" | "busy" | "no_answer"
    | "unknown_error";
  /** What helps: another tap, some later time, the user's settings page, or nothing but a change of code or configuration. */
  retry: "next_tap" | "later" | "settings" | "never";
  meaning: string;
  meaning_zh: string;
  /** "unknown": the user may have accepted all the same; WeChat's popup event to the server decides. */
  outcome: "none" | "unknown";
}

export interface Report {
  scene: string;
  /** RFC 3339; the same on every replay, so that the server counts a report once. */
  occurred_at: string;
  /** template is the template id. Empty when the call failed. */
  grants: { template: string; decision: Decision }[];
  error: AskError | null;
}

/** What a tap on this scene would ask for now. */
export interface Choice {
  scene: string;
  /** plan: fetched within planMaxAge; last_plan: older; configured: no plan was ever fetched; none: nothing known. */
  source: "plan" | "last_plan" | "configured" | "none";
  ask: PlanEntry[];
  left_out: LeftOut[];
  settings: Settings | null;
}

export interface AskResult extends Choice {
  /** Whether WeChat was called at all. */
  asked: boolean;
  accepted: PlanEntry[];
  declined: PlanEntry[];
  grants: Report["grants"];
  error: AskError | null;
}

/** Durations are milliseconds; each has a default. */
export interface Options {
  /** Asks your back end for the plan of a scene; your back end asks Yuexin. */
  fetchPlan(request: PlanRequest): Promise<Plan>;
  /**
   * Hands a result to your back end. Resolve only when it was stored: a rejection is retried on the next prepare().
   * Reject with an error whose `permanent` is true to give this report up.
   */
  report(report: Report): Promise<unknown>;
  /** Template ids per scene for a tap before any plan was ever fetched; one kind per scene. */
  configured?: Record<string, (string | PlanEntry)[]>;
  maxTemplates?: number;
  planMaxAge?: number;
  planTimeout?: number;
  answerTimeout?: number;
  reportTimeout?: number;
  reportMaxAge?: number;
  replayWait?: number;
  queueLimit?: number;
  refusalWait?: number;
  storageKey?: string;
  now?(): number;
  /** Told of what was survived: where is "fetchPlan", "report", "getSetting", "storage" or "record". */
  onError?(where: string, error: unknown): void;
  /** The platform object; tests pass their own. */
  wx?: unknown;
}

export interface Yuexin {
  /** Call in onShow: replays lost reports, reads the settings, fetches the plan if it is not fresh. Never rejects. */
  prepare(scene: string): Promise<Choice>;
  /** Call first in a tap handler, nothing awaited before it. Always resolves. */
  ask(scene: string): Promise<AskResult>;
  /** Delivers queued reports now, say when the network returns. Never rejects. */
  flush(): Promise<void>;
}

/** Throws a TypeError when fetchPlan or report is missing. Make one per mini program: it owns its storage keys. */
export function createYuexin(options: Options): Yuexin;

/** What a failure of wx.requestSubscribeMessage means and what helps. */
export function explain(failure: unknown): AskError;

/** The "always keep" answers in a subscriptionsSetting, in either of its shapes. */
export function keptDecisions(setting: unknown): Record<string, Decision>;
