/**
 * Yuexin for mini programs: ask a user for subscription messages at the right moment, and lose no answer.
 *
 * Three things go wrong when a page calls wx.requestSubscribeMessage by itself, and this file exists for them:
 * anything awaited between the tap and the call may cost the tap ("can only be invoked by user TAP gesture"), so the
 * plan of what to ask is fetched before the tap; a silent accept under "always keep" is announced to no server, so
 * every result is reported from here; and a report can be lost on its way, so it is kept in storage and replayed
 * with the same occurred_at until it arrives, and the server counts it once.
 *
 * No dependencies, ES2015 syntax, base library 2.10 or later. The Yuexin API key never comes here: fetchPlan and
 * report call your own back end, which knows the user's openid and holds the key.
 *
 * Facts on the platform: developers.weixin.qq.com/miniprogram/dev, wx.requestSubscribeMessage, wx.getSetting, Tap 事件.
 */
'use strict';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const DEFAULTS = {
  configured: {}, //                 scene -> template ids (or plan entries) used while no plan was ever fetched
  maxTemplates: 3, //                WeChat's pages say 3 or 5; more than it allows fails with 20003
  planMaxAge: 5 * MINUTE, //         prepare() fetches again after this; a tap still uses an older plan
  planTimeout: 5 * SECOND, //        prepare() resolves after this even without a plan
  answerTimeout: 2 * MINUTE, //      ask() resolves after this even if WeChat never answers
  reportTimeout: 15 * SECOND, //     one attempt at delivering a report
  reportMaxAge: 30 * DAY, //         an undelivered report older than this is given up
  replayWait: SECOND, //             how long a plan waits for lost reports, which may change it
  queueLimit: 50, //                 undelivered reports kept
  refusalWait: DAY, //               how long a refusal silences `configured` ids (a plan has the server's own wait)
  storageKey: 'yuexin',
  now: () => Date.now(),
  onError: () => {}
};

// Plans kept over a restart, the latest ones: a scene is a place in the code, but nobody stops a page from putting an id into it.
const MAX_PLANS = 30;

// A flush stops after this many failures in a row: the network is down, not the report wrong.
const FAILURES_IN_A_ROW = 3;

// What WeChat's failures mean. `retry` says what helps: "next_tap", "later", "settings" (the user must switch
// something on), "never" (the code or the configuration is wrong, or the account is banned).
const ERRORS = {
  10001: ['no_templates', 'never', 'tmplIds was empty', '没有传入模板 ID'],
  10002: ['network', 'next_tap', 'the network failed while loading the templates', '网络问题，模板列表加载失败'],
  10003: ['network', 'next_tap', 'the network failed while sending the answer: the user may have accepted', '网络问题，订阅请求发送失败，用户可能已同意'],
  10004: ['bad_argument', 'never', 'an argument has the wrong type, or a template id is malformed', '参数类型错误或模板 ID 有误'],
  10005: ['in_background', 'later', 'the panel cannot open while the mini program is in the background', '小程序在后台，无法展示订阅面板'],
  20001: ['unknown_template', 'never', 'a template id is unknown to this account or of the wrong kind', '没有该模板的数据：模板 ID 不存在或类型不对'],
  20002: ['kinds_not_mixed', 'never', 'one-time and long-term templates were asked for in one call', '一次性模板与长期模板不能同时请求'],
  20003: ['too_many_templates', 'never', 'too many template ids in one call', '一次请求的模板数量超过上限'],
  20004: ['main_switch_off', 'settings', 'the user switched subscription messages off for this mini program', '用户关闭了订阅消息主开关'],
  20005: ['banned', 'never', 'WeChat has banned this mini program from subscription messages', '小程序被禁止使用订阅消息'],
  20013: ['device_template', 'never', 'a device template was passed to the ordinary call', '不允许通过该接口订阅设备消息']
};

// Failures that WeChat's pages do not list and that come without a usable code (reported by developers).
const TEXTS = [
  [/TAP gesture/i, ['tap_lost', 'next_tap', 'the tap was lost: call ask() first in the tap handler, with nothing awaited before it', '点击态丢失：请在点击事件里最先调用 ask()，之前不要 await']],
  [/last call has not ended/i, ['busy', 'next_tap', 'another subscription panel is still open', '上一次订阅请求还没有结束']]
];

/** explain turns what wx.requestSubscribeMessage failed with into {code, retry, outcome, …}; it never throws. */
function explain(failure) {
  const source = failure || {};
  const errcode = isNaN(parseInt(source.errCode, 10)) ? null : parseInt(source.errCode, 10);
  const errmsg = String(source.errMsg || source.message || 'failed without a message');
  const byText = TEXTS.filter((entry) => entry[0].test(errmsg))[0];
  const known = ERRORS[errcode] || (byText && byText[1]) || ['unknown_error', 'next_tap', errmsg, errmsg];
  return {
    errcode: errcode,
    errmsg: errmsg,
    code: known[0],
    retry: known[1],
    meaning: known[2],
    meaning_zh: known[3],
    // After 10003 the accept may have reached WeChat: only its popup event to the server can tell.
    outcome: errcode === 10003 ? 'unknown' : 'none'
  };
}

/** keptDecisions reads "always keep" answers from both shapes of subscriptionsSetting: ids under itemSettings, or beside it. */
function keptDecisions(setting) {
  const kept = {};
  [setting, setting && setting.itemSettings].forEach((ids) => {
    Object.keys(ids || {}).forEach((id) => {
      if (typeof ids[id] === 'string') kept[id] = ids[id];
    });
  });
  return kept;
}

/** createYuexin makes the one object a mini program needs: put it in app.js. It throws on missing options; nothing else here throws. */
function createYuexin(options) {
  const opts = Object.assign({}, DEFAULTS, options);
  ['fetchPlan', 'report', 'now', 'onError'].forEach((name) => {
    if (typeof opts[name] !== 'function') throw new TypeError('createYuexin: ' + name + ' must be a function');
  });
  const platform = opts.wx || wx;
  const store = openStorage(platform, opts.storageKey, complain);

  const configured = readConfigured(opts.configured);
  const plans = new Map(store.load('plans', Array.isArray, []).filter(isStoredPlan)); // scene -> {started, ask, left_out}
  const refusals = store.load('refusals', isObject, {}); // template id -> time of the last refusal on this device
  let queue = store.load('reports', Array.isArray, []).filter(isReport);
  const fetching = new Map(); //                            scene -> the running fetch of its plan
  let settings = null; //                                   what wx.getSetting said last
  let asking = null; //                                     the call WeChat has not answered yet
  let flushing = null; //                                   the running flush
  let lastStamp = 0; //                                     occurred_at of the last answer
  if (queue.length > 0) trimQueue();

  function complain(where, error) {
    try {
      opts.onError(where, error);
    } catch (ignored) {
      // The page's own logger failed; there is nobody left to tell.
    }
  }

  // ---- plans: fetched before the tap ----

  /** prepare gets everything ready for ask(scene): call it in onShow. Resolves with what a tap would ask now; never rejects. */
  function prepare(scene) {
    const replayed = queue.length > 0 ? within(opts.replayWait, flush) : Promise.resolve();
    return Promise.all([readSettings(), replayed.catch(ignore)])
      .then(() => (isFresh(plans.get(scene)) ? undefined : within(opts.planTimeout, () => fetchPlan(scene))))
      .catch((error) => complain('fetchPlan', error))
      .then(() => choose(scene));
  }

  /** fetchPlan asks the caller's back end, once per scene at a time, and keeps the answer unless a later one is already there. */
  function fetchPlan(scene) {
    if (fetching.has(scene)) return fetching.get(scene);
    const started = opts.now();
    const forget = () => {
      if (fetching.get(scene) === current) fetching.delete(scene);
    };
    const current = attempt(() => opts.fetchPlan(Object.assign({ scene: scene }, settings || { mainSwitch: null, kept: {} }))).then(
      (plan) => {
        forget();
        if (!isObject(plan) || !Array.isArray(plan.ask)) throw new TypeError('fetchPlan must resolve with a plan: {ask: [...], left_out: [...]}');
        const known = plans.get(scene);
        if (known && known.started > started) return;
        keepPlan(scene, { started: started, ask: plan.ask.filter(isEntry), left_out: Array.isArray(plan.left_out) ? plan.left_out : [] });
      },
      (error) => {
        forget();
        throw error;
      }
    );
    fetching.set(scene, current);
    setTimeout(forget, opts.planTimeout); // a fetch that never ends must not block the scene for good
    return current;
  }

  function keepPlan(scene, plan) {
    plans.delete(scene); // so that it is the last one: a Map keeps the order of insertion
    plans.set(scene, plan);
    if (plans.size > MAX_PLANS) plans.delete(plans.keys().next().value);
    store.save('plans', Array.from(plans));
  }

  function isFresh(plan) {
    const age = plan ? opts.now() - plan.started : -1;
    return age >= 0 && age < opts.planMaxAge;
  }

  function readSettings() {
    return new Promise((resolve) => {
      setTimeout(resolve, SECOND); // an old client may not answer; a plan without settings is still a plan
      platform.getSetting({
        withSubscriptions: true,
        success: (res) => {
          const setting = res.subscriptionsSetting || {};
          settings = { mainSwitch: typeof setting.mainSwitch === 'boolean' ? setting.mainSwitch : null, kept: keptDecisions(setting) };
          resolve();
        },
        fail: (error) => {
          complain('getSetting', error);
          resolve();
        }
      });
    }).catch((error) => complain('getSetting', error));
  }

  /** choose picks what a tap asks for, from memory alone: the plan, else the last plan, else the configured ids. */
  function choose(scene) {
    const plan = plans.get(scene);
    const chosen = { scene: scene, source: 'none', ask: [], left_out: plan ? plan.left_out.slice() : [], settings: settings };
    let candidates = [];
    let since = 0; // refusals after this moment are news to whoever chose the candidates
    if (plan) {
      chosen.source = isFresh(plan) ? 'plan' : 'last_plan';
      candidates = plan.ask;
      since = plan.started;
    } else if (configured.has(scene)) {
      chosen.source = 'configured';
      candidates = configured.get(scene);
      since = opts.now() - opts.refusalWait;
    }
    candidates.forEach((entry) => {
      const reason = whyNot(entry, chosen.ask, since);
      if (reason) chosen.left_out.push({ template_id: entry.template_id, template: entry.template, reason: reason });
      else chosen.ask.push(entry);
    });
    return chosen;
  }

  function whyNot(entry, chosen, since) {
    const id = entry.template_id;
    const kept = settings && settings.kept[id];
    if (chosen.some((other) => other.template_id === id)) return { code: 'duplicate', detail: 'listed twice' };
    if (refusals[id] >= since) return { code: 'prompt_not_nagging', detail: 'refused since the plan was made' };
    if (kept === 'reject' || kept === 'ban') return { code: 'kept_' + kept, detail: 'the user ticked "always keep": only the settings page can change it' };
    if (chosen.length > 0 && isOneTime(chosen[0]) !== isOneTime(entry)) return { code: 'kinds_not_mixed', detail: 'one call asks for one kind' };
    if (chosen.length >= opts.maxTemplates) return { code: 'max_templates', detail: 'one call asks for at most ' + opts.maxTemplates };
    return null;
  }

  // ---- the tap ----

  /**
   * ask opens WeChat's panel. Call it first in a tap handler (or in a payment callback), before anything asynchronous.
   * Always resolves: {asked, accepted, declined, grants, error, …}.
   */
  function ask(scene) {
    const chosen = choose(scene);
    if (asking) return Promise.resolve(result(chosen, { error: explain({ errMsg: 'last call has not ended' }) }));
    if (chosen.ask.length === 0) return Promise.resolve(result(chosen, {}));
    // The executor runs at once: WeChat is called before ask returns, while the tap still counts.
    return new Promise((resolve) => request(scene, chosen, resolve));
  }

  function request(scene, chosen, resolve) {
    const call = {};
    asking = call;
    const release = () => {
      if (asking === call) asking = null;
      clearTimeout(timer);
    };
    const timer = setTimeout(() => {
      release();
      resolve(result(chosen, { asked: true, error: Object.assign(explain({ errMsg: 'WeChat did not answer' }), { code: 'no_answer', outcome: 'unknown' }) }));
    }, opts.answerTimeout);

    let answered = false;
    const answer = (grants, error) => {
      if (answered) return;
      answered = true;
      release();
      try {
        record(scene, grants, error);
      } catch (unexpected) {
        complain('record', unexpected);
      }
      resolve(result(chosen, { asked: true, grants: grants, error: error }));
    };
    try {
      const returned = platform.requestSubscribeMessage({
        tmplIds: chosen.ask.map((entry) => entry.template_id),
        success: (res) => {
          const grants = decisions(chosen.ask, res);
          answer(grants, grants.length > 0 ? null : explain({ errMsg: 'the answer names no template' }));
        },
        fail: (error) => answer([], explain(error))
      });
      // Some libraries answer with a promise even when callbacks are given; its rejection repeats fail().
      if (returned && typeof returned.catch === 'function') returned.catch(ignore);
    } catch (error) {
      answer([], explain(error));
    }
  }

  function result(chosen, outcome) {
    const full = Object.assign({ asked: false, grants: [], error: null }, chosen, outcome);
    const named = (wanted) => chosen.ask.filter((entry) => full.grants.some((grant) => grant.template === entry.template_id && isAccept(grant.decision) === wanted));
    full.accepted = named(true);
    full.declined = named(false);
    return full;
  }

  // ---- reports: kept until they arrive ----

  function record(scene, grants, error) {
    let at = opts.now();
    if (at <= lastStamp && lastStamp - at < SECOND) at = lastStamp + 1; // two answers never share an occurred_at
    lastStamp = at;
    const refused = grants.filter((grant) => grant.decision === 'reject');
    if (refused.length > 0) {
      refused.forEach((grant) => (refusals[grant.template] = at));
      store.save('refusals', refusals);
    }
    // Stored before the first attempt: the mini program may be closed at any moment.
    queue.push({ scene: scene, occurred_at: new Date(at).toISOString(), grants: grants, error: error });
    trimQueue();
    flush().then(() => {
      // What was just granted or refused changes the plan of the next tap on this page.
      if (grants.length === 0) return;
      fetching.delete(scene); // a fetch that began before the answer does not know of it
      within(opts.planTimeout, () => fetchPlan(scene)).catch((reason) => complain('fetchPlan', reason));
    });
  }

  /** trimQueue keeps the queue bounded: reports without a grant go first, then the oldest. */
  function trimQueue() {
    queue = queue.filter((report) => keep(opts.now() - Date.parse(report.occurred_at) <= opts.reportMaxAge, report));
    while (queue.length > opts.queueLimit) {
      const empty = queue.findIndex((report) => report.grants.length === 0);
      complain('report', Object.assign(new Error('the queue of reports is full: one is given up'), { report: queue.splice(empty >= 0 ? empty : 0, 1)[0] }));
    }
    store.save('reports', queue);
  }

  function keep(condition, report) {
    if (!condition) complain('report', Object.assign(new Error('a report was too old: it is given up'), { report: report }));
    return condition;
  }

  /** flush delivers what is queued, one at a time, oldest first. Resolves when it can do no more now; never rejects. */
  function flush() {
    if (!flushing && queue.length > 0) flushing = deliverNext(new Set(), 0);
    return flushing || Promise.resolve();
  }

  function deliverNext(tried, failures) {
    const report = queue.filter((candidate) => !tried.has(candidate))[0];
    if (!report || failures >= FAILURES_IN_A_ROW) {
      flushing = null; // cleared in the same step as the look at the queue, so that no later report is overlooked
      return Promise.resolve();
    }
    tried.add(report);
    const remove = () => {
      queue = queue.filter((other) => other !== report);
    };
    return within(opts.reportTimeout, () => opts.report(JSON.parse(JSON.stringify(report))))
      .then(
        () => {
          remove();
          return 0;
        },
        (error) => {
          complain('report', error);
          remove();
          // To the end, so that one that never succeeds does not hold up the others; dropped when the back end says so.
          if (!(error && error.permanent === true)) queue.push(report);
          return failures + 1;
        }
      )
      .then((failed) => {
        store.save('reports', queue);
        return deliverNext(tried, failed);
      });
  }

  return { prepare: prepare, ask: ask, flush: flush };
}

/** readConfigured checks the fallback ids when the mini program starts, not at a user's tap. */
function readConfigured(scenes) {
  return new Map(
    Object.keys(scenes).map((scene) => {
      const entries = Array.isArray(scenes[scene]) ? scenes[scene].map((id) => (typeof id === 'string' ? { template_id: id } : id)) : [];
      if (entries.length === 0 || !entries.every(isEntry)) throw new TypeError('createYuexin: configured.' + scene + ' must be a list of template ids');
      return [scene, entries];
    })
  );
}

/** openStorage keeps small JSON values under wx storage (one per user and mini program); when storage fails, memory serves on. */
function openStorage(platform, prefix, complain) {
  return {
    load: (name, isValid, otherwise) => {
      try {
        const value = platform.getStorageSync(prefix + '.' + name);
        return isValid(value) ? value : otherwise;
      } catch (error) {
        complain('storage', error);
        return otherwise;
      }
    },
    save: (name, value) => {
      try {
        platform.setStorageSync(prefix + '.' + name, value);
      } catch (error) {
        complain('storage', error);
      }
    }
  };
}

/** decisions reads WeChat's answer for the templates asked for; the raw word is kept, whatever it is. */
function decisions(asked, res) {
  return asked
    .filter((entry) => isObject(res) && typeof res[entry.template_id] === 'string')
    .map((entry) => ({ template: entry.template_id, decision: res[entry.template_id] }));
}

/** within runs start and rejects when it has not settled after ms; a late settlement changes nothing. */
function within(ms, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer within ' + ms + ' ms')), ms);
    const then = (settle) => (value) => {
      clearTimeout(timer);
      settle(value);
    };
    attempt(start).then(then(resolve), then(reject));
  });
}

/** attempt calls start and answers with a promise even when it throws. */
function attempt(start) {
  return new Promise((resolve) => resolve(start()));
}

function ignore() {}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isEntry(entry) {
  return isObject(entry) && typeof entry.template_id === 'string' && entry.template_id !== '';
}

function isStoredPlan(pair) {
  return Array.isArray(pair) && isObject(pair[1]) && typeof pair[1].started === 'number' && Array.isArray(pair[1].left_out) && Array.isArray(pair[1].ask) && pair[1].ask.every(isEntry);
}

function isReport(report) {
  return isObject(report) && Array.isArray(report.grants) && !isNaN(Date.parse(report.occurred_at));
}

// WeChat has accept, acceptWithAudio, acceptWithAlert; whatever comes next will start the same way.
function isAccept(decision) {
  return decision.indexOf('accept') === 0;
}

// An entry without a kind (a configured id) is taken for one-time; long_term and long_term_limited may share a call.
function isOneTime(entry) {
  return !entry.kind || entry.kind === 'one_time';
}

module.exports = { createYuexin: createYuexin, explain: explain, keptDecisions: keptDecisions };
