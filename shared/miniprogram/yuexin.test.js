'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const { describe, it, mock, beforeEach, afterEach } = require('node:test');
const { fakeWx, loadYuexin } = require('./fakewx.js');

const START = Date.parse('2026-03-05T01:00:00Z');
const ORDER = { template_id: 'T-order', template: 'order_shipped', kind: 'one_time', reason: { code: 'scene', detail: '' } };
const REFUND = { template_id: 'T-refund', template: 'refund_done', kind: 'one_time' };
const BILL = { template_id: 'T-bill', template: 'monthly_bill', kind: 'long_term' };
const LIMITED = { template_id: 'T-policy', template: 'policy_due', kind: 'long_term_limited' };
const KINDS = { 'T-order': 'one_time', 'T-refund': 'one_time', 'T-third': 'one_time', 'T-fourth': 'one_time', 'T-bill': 'long_term', 'T-policy': 'long_term' };

// Values from another realm have other prototypes: compare what they say.
const plain = (value) => JSON.parse(JSON.stringify(value));
const same = (actual, expected, message) => assert.deepEqual(plain(actual), plain(expected), message);

/** bench is a mini program on the table: a fake client, a fake back end, and yuexin between them. */
function bench(options) {
  const wx = (options && options.wx) || fakeWx(Object.assign({}, KINDS), options && options.user);
  const b = { wx, now: START, plans: [], reports: [], errors: [], plan: { ask: [ORDER], left_out: [] }, online: true };
  const extra = Object.assign({}, options);
  delete extra.wx;
  delete extra.user;
  b.restart = () => {
    b.yuexin = loadYuexin(wx).createYuexin(
      Object.assign(
        {
          fetchPlan: (request) => {
            b.plans.push(plain(request));
            return b.online ? Promise.resolve(b.plan) : Promise.reject(new Error('request:fail'));
          },
          report: (report) => {
            b.reports.push(report);
            return b.online ? Promise.resolve() : Promise.reject(new Error('request:fail'));
          },
          now: () => b.now,
          onError: (where, error) => b.errors.push([where, String(error && error.message)])
        },
        extra
      )
    );
  };
  b.tap = (scene) => wx.tap(() => b.yuexin.ask(scene));
  b.stored = () => JSON.parse(wx.storage.get('yuexin.reports') || '[]');
  b.restart();
  return b;
}

/** settle lets everything run that needs no timer. */
async function settle() {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(async () => {
  await settle(); // what a test left running must not meet real timers
  mock.timers.reset();
});

describe('a tap', () => {
  it('asks what the prepared plan says and reports the raw result', async () => {
    const b = bench({ user: () => ({ 'T-order': 'acceptWithAudio' }) });
    const choice = await b.yuexin.prepare('order_placed');
    same([choice.source, choice.ask], ['plan', [ORDER]]);
    b.now += 1234;
    const answer = await b.tap('order_placed');
    await settle();
    same(b.wx.calls, [['T-order']]);
    same([answer.asked, answer.accepted, answer.declined, answer.error], [true, [ORDER], [], null]);
    same(b.reports, [{ scene: 'order_placed', occurred_at: '2026-03-05T01:00:01.234Z', grants: [{ template: 'T-order', decision: 'acceptWithAudio' }], error: null }]);
    same(b.stored(), []);
  });

  it('calls WeChat before ask returns, so that the tap still counts', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.wx.tap(() => {
      b.yuexin.ask('s');
      assert.equal(b.wx.calls.length, 1);
    });
  });

  it('that lost its state is explained and reported, not thrown', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    const answer = await b.yuexin.ask('s'); // after an await somewhere: no finger on the screen
    await settle();
    same([answer.error.code, answer.error.retry, answer.error.errcode], ['tap_lost', 'next_tap', null]);
    assert.equal(b.reports[0].error.code, 'tap_lost');
    same(b.reports[0].grants, []);
  });

  it('while a panel is open does not call WeChat a second time', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.wx.mute = true;
    const first = b.tap('s');
    const second = await b.tap('s');
    same([second.asked, second.error.code, b.wx.calls.length], [false, 'busy', 1]);
    b.wx.pending.shift()();
    assert.equal((await first).accepted.length, 1);
    b.wx.mute = false;
    assert.equal((await b.tap('s')).accepted.length, 1, 'the next tap asks again');
  });

  it('beside a panel that other code opened reports "last call has not ended"', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.wx.mute = true;
    b.wx.tap(() => b.wx.requestSubscribeMessage({ tmplIds: ['T-refund'], success() {}, fail() {} }));
    const answer = await b.tap('s');
    same([answer.asked, answer.error.code, answer.error.retry], [true, 'busy', 'next_tap']);
  });

  it('resolves even if WeChat never answers, and an answer after all is still reported', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.wx.mute = true;
    const tap = b.tap('s');
    mock.timers.tick(2 * 60 * 1000);
    const answer = await tap;
    same([answer.error.code, answer.error.outcome], ['no_answer', 'unknown']);
    assert.equal(b.reports.length, 0, 'nothing is known yet');
    b.wx.pending.shift()();
    await settle();
    same(b.reports[0].grants, [{ template: 'T-order', decision: 'accept' }]);
  });

  it('survives a client without the call', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.wx.requestSubscribeMessage = undefined;
    const answer = await b.tap('s');
    assert.equal(answer.error.code, 'unknown_error');
  });

  it('survives a client that rejects a promise beside calling fail', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.wx.requestSubscribeMessage = (options) => {
      options.fail({ errCode: 20004, errMsg: 'requestSubscribeMessage:fail' });
      return Promise.reject(new Error('the same again'));
    };
    assert.equal((await b.tap('s')).error.code, 'main_switch_off');
    await settle();
    assert.equal(b.reports.length, 1);
  });

  it('answered twice by the client is reported once', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.wx.requestSubscribeMessage = (options) => {
      options.success({ 'T-order': 'accept' });
      options.fail({ errCode: 10003, errMsg: 'requestSubscribeMessage:fail' });
    };
    assert.equal((await b.tap('s')).error, null);
    await settle();
    assert.equal(b.reports.length, 1);
  });

  it('reports words it does not know as they are, and counts them as not accepted', async () => {
    const b = bench({ user: () => ({ 'T-order': 'postponed', 'T-refund': 'acceptWithAlert', 'T-other': 'accept' }) });
    b.plan = { ask: [ORDER, REFUND] };
    await b.yuexin.prepare('s');
    const answer = await b.tap('s');
    same(answer.grants, [{ template: 'T-order', decision: 'postponed' }, { template: 'T-refund', decision: 'acceptWithAlert' }]);
    same(answer.accepted.map((entry) => entry.template_id), ['T-refund']);
    same(answer.declined.map((entry) => entry.template_id), ['T-order']);
  });

  it('with an answer that names no template is an error, not an accept', async () => {
    const b = bench({ user: () => ({}) });
    await b.yuexin.prepare('s');
    const answer = await b.tap('s');
    same([answer.grants, answer.accepted, answer.error.code], [[], [], 'unknown_error']);
  });
});

describe('what is asked', () => {
  const asked = async (b, scene) => {
    await b.yuexin.prepare(scene || 's');
    const answer = await b.tap(scene || 's');
    await settle();
    return answer;
  };

  it('never mixes one-time and long-term templates', async () => {
    const b = bench();
    b.plan = { ask: [ORDER, BILL, REFUND] };
    const answer = await asked(b);
    same(b.wx.calls, [['T-order', 'T-refund']]);
    same(answer.left_out.map((left) => [left.template_id, left.reason.code]), [['T-bill', 'kinds_not_mixed']]);
    assert.equal(answer.error, null);
  });

  it('may hold a long-term and a rate-limited long-term template in one call', async () => {
    const b = bench();
    b.plan = { ask: [BILL, LIMITED, ORDER] };
    const answer = await asked(b);
    same([b.wx.calls, answer.error], [[['T-bill', 'T-policy']], null]);
  });

  it('is at most maxTemplates, the first of the plan', async () => {
    const b = bench();
    b.plan = { ask: [ORDER, ORDER, REFUND, { template_id: 'T-third' }, { template_id: 'T-fourth' }] };
    const answer = await asked(b);
    same(b.wx.calls, [['T-order', 'T-refund', 'T-third']]);
    same(answer.left_out.map((left) => left.reason.code), ['duplicate', 'max_templates']);
  });

  it('is nothing where the plan says nothing, and the reasons reach the page', async () => {
    const b = bench({ configured: { s: ['T-order'] } });
    b.plan = { ask: [], left_out: [{ template_id: 'T-order', template: 'order_shipped', reason: { code: 'prompt_not_nagging', detail: 'until tomorrow' } }] };
    const answer = await asked(b);
    same([b.wx.calls.length, answer.asked, answer.error, answer.left_out[0].reason.code], [0, false, null, 'prompt_not_nagging']);
    assert.equal(b.reports.length, 0);
  });

  it('leaves out what the user just refused, even before a new plan is there', async () => {
    const b = bench({ user: () => ({ 'T-order': 'reject' }) });
    await asked(b);
    b.online = false;
    b.now += 1000;
    const again = await b.tap('s');
    same([b.wx.calls.length, again.asked], [1, false]);
    assert.equal(again.left_out[0].reason.code, 'prompt_not_nagging');
  });

  it('asks again after a refusal once a newer plan says so', async () => {
    const b = bench({ user: () => ({ 'T-order': 'reject' }) });
    await asked(b);
    b.now += 3 * 24 * 3600 * 1000;
    await asked(b);
    assert.equal(b.wx.calls.length, 2);
  });

  for (const shape of [false, true]) {
    it('leaves out what is kept as refused and tells the plan, settings in the ' + (shape ? 'older' : 'current') + ' shape', async () => {
      const b = bench();
      b.wx.kept = { 'T-order': 'reject', 'T-refund': 'accept' };
      b.wx.legacySettings = shape;
      b.plan = { ask: [ORDER, REFUND] };
      const answer = await asked(b);
      same(b.plans[0], { scene: 's', mainSwitch: true, kept: { 'T-order': 'reject', 'T-refund': 'accept' } });
      same(b.wx.calls, [['T-refund']]);
      assert.equal(answer.left_out[0].reason.code, 'kept_reject');
      assert.equal(b.reports[0].grants[0].decision, 'accept', 'a silent accept is reported: no event tells of it');
    });
  }

  it('does not wait longer than a second for settings', async () => {
    const b = bench();
    b.wx.getSetting = () => {};
    const prepared = b.yuexin.prepare('s');
    await settle();
    assert.equal(b.plans.length, 0);
    mock.timers.tick(1000);
    assert.equal((await prepared).source, 'plan');
  });

  it('is the plan without settings where getSetting fails or is missing', async () => {
    for (const getSetting of [undefined, (options) => options.fail({ errMsg: 'getSetting:fail' })]) {
      const b = bench();
      b.wx.getSetting = getSetting;
      await asked(b);
      same([b.plans[0], b.wx.calls], [{ scene: 's', mainSwitch: null, kept: {} }, [['T-order']]]);
      assert.equal(b.errors[0][0], 'getSetting');
    }
  });
});

describe('a plan', () => {
  it('is fetched once while it is fresh, again when it is old, and again after an answer', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    await b.yuexin.prepare('s');
    assert.equal(b.plans.length, 1);
    b.now += 5 * 60 * 1000;
    await b.yuexin.prepare('s');
    assert.equal(b.plans.length, 2);
    await b.tap('s');
    await settle();
    assert.equal(b.plans.length, 3);
  });

  it('is fetched once for pages that prepare side by side', async () => {
    const b = bench();
    await Promise.all([b.yuexin.prepare('s'), b.yuexin.prepare('s'), b.yuexin.prepare('other')]);
    same(b.plans.map((request) => request.scene), ['s', 'other']);
  });

  it('that is old still serves a tap when no newer one can be had', async () => {
    const b = bench({ configured: { s: ['T-refund'] } });
    await b.yuexin.prepare('s');
    b.now += 24 * 3600 * 1000;
    b.online = false;
    const choice = await b.yuexin.prepare('s');
    same([choice.source, choice.ask[0].template_id], ['last_plan', 'T-order']);
    same(b.errors, [['fetchPlan', 'request:fail']]);
  });

  it('survives a restart of the mini program', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.restart();
    await b.tap('s');
    same(b.wx.calls, [['T-order']]);
  });

  it('that was never fetched gives way to the configured ids', async () => {
    const b = bench({ configured: { s: ['T-refund', BILL] } });
    b.online = false;
    assert.equal((await b.yuexin.prepare('s')).source, 'configured');
    await b.tap('s');
    same(b.wx.calls, [['T-refund']]);
  });

  it('that was never fetched, with nothing configured, asks nothing and does not throw', async () => {
    const b = bench();
    for (const scene of ['s', undefined, '__proto__', 'constructor']) {
      const answer = await b.tap(scene);
      same([answer.asked, answer.source, answer.error], [false, 'none', null]);
    }
  });

  it('does not ask configured ids again within a day of a refusal', async () => {
    const b = bench({ configured: { s: ['T-order'] }, user: () => ({ 'T-order': 'reject' }) });
    b.online = false;
    await b.tap('s');
    b.now += 23 * 3600 * 1000;
    assert.equal((await b.tap('s')).asked, false);
    b.now += 2 * 3600 * 1000;
    assert.equal((await b.tap('s')).asked, true);
  });

  it('that arrives late does not hold up the page, but is kept', async () => {
    let arrive;
    const b = bench({ fetchPlan: () => new Promise((resolve) => (arrive = resolve)) });
    const prepared = b.yuexin.prepare('s');
    await settle();
    mock.timers.tick(5000);
    assert.equal((await prepared).source, 'none');
    arrive({ ask: [ORDER] });
    await settle();
    assert.equal((await b.tap('s')).asked, true);
  });

  it('that was asked for earlier never replaces one asked for later', async () => {
    const arrivals = [];
    const b = bench({ fetchPlan: () => new Promise((resolve) => arrivals.push(resolve)) });
    b.yuexin.prepare('s');
    await settle();
    mock.timers.tick(5000);
    b.now += 6000;
    b.yuexin.prepare('s');
    await settle();
    arrivals[1]({ ask: [REFUND] });
    await settle();
    arrivals[0]({ ask: [ORDER] });
    await settle();
    await b.tap('s');
    same(b.wx.calls, [['T-refund']]);
  });

  it('fetched before an answer is fetched again after it', async () => {
    const arrivals = [];
    const b = bench({ configured: { s: ['T-order'] }, fetchPlan: () => new Promise((resolve) => arrivals.push(resolve)) });
    b.yuexin.prepare('s');
    await settle();
    await b.tap('s');
    await settle();
    assert.equal(arrivals.length, 2);
  });

  it('of a wrong shape is an error that the page may log, not a crash', async () => {
    for (const plan of [null, 'x', { ask: 'T-order' }, { ask: [null, {}, { template_id: '' }] }]) {
      const b = bench();
      b.plan = plan;
      await b.yuexin.prepare('s');
      assert.equal((await b.tap('s')).asked, false);
    }
  });

  it('is kept for the thirty latest scenes only', async () => {
    const b = bench();
    for (let i = 0; i < 40; i++) await b.yuexin.prepare('order-' + i);
    const kept = JSON.parse(b.wx.storage.get('yuexin.plans'));
    same([kept.length, kept[0][0], kept[29][0]], [30, 'order-10', 'order-39']);
    b.now += 600 * 1000;
    await b.yuexin.prepare('order-10'); // used again: now the latest
    await b.yuexin.prepare('order-40');
    assert.equal(JSON.parse(b.wx.storage.get('yuexin.plans'))[0][0], 'order-12');
  });
});

describe('a report', () => {
  it('that was lost is replayed by the next prepare with the same occurred_at, before the plan is fetched', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.online = false;
    await b.tap('s');
    await settle();
    assert.equal(b.stored().length, 1);
    b.now += 3600 * 1000;
    b.online = true;
    const order = [];
    b.restart = undefined;
    const yuexin = loadYuexin(b.wx).createYuexin({
      fetchPlan: () => (order.push('plan'), Promise.resolve(b.plan)),
      report: (report) => (order.push(report.occurred_at), Promise.resolve()),
      now: () => b.now
    });
    await yuexin.prepare('s');
    same(order, ['2026-03-05T01:00:00.000Z', 'plan']);
    same(b.stored(), []);
  });

  it('is stored before the first attempt, so that a closed mini program loses nothing', async () => {
    const b = bench({ report: () => new Promise(() => {}) });
    await b.yuexin.prepare('s');
    await b.tap('s');
    assert.equal(b.stored().length, 1);
  });

  it('that hangs is given another attempt later', async () => {
    let attempts = 0;
    const b = bench({ report: () => (++attempts, attempts === 1 ? new Promise(() => {}) : Promise.resolve()) });
    await b.yuexin.prepare('s');
    await b.tap('s');
    mock.timers.tick(15000);
    await settle();
    await b.yuexin.flush();
    same([attempts, b.stored()], [2, []]);
  });

  it('that hangs holds up the plan for a second only', async () => {
    const b = bench({ report: () => new Promise(() => {}) });
    await b.yuexin.prepare('s');
    await b.tap('s');
    b.now += 600 * 1000;
    const before = b.plans.length;
    const prepared = b.yuexin.prepare('s');
    await settle();
    assert.equal(b.plans.length, before);
    mock.timers.tick(1000);
    await prepared;
    assert.equal(b.plans.length, before + 1);
  });

  it('that the back end refuses for good is dropped', async () => {
    const b = bench({ report: () => Promise.reject(Object.assign(new Error('422'), { permanent: true })) });
    await b.yuexin.prepare('s');
    await b.tap('s');
    await settle();
    same([b.stored(), b.errors], [[], [['report', '422']]]);
  });

  it('that never succeeds does not hold up the others', async () => {
    const arrived = [];
    const b = bench({ report: (report) => (report.scene === 'poison' ? Promise.reject(new Error('500')) : (arrived.push(report.occurred_at), Promise.resolve())) });
    await b.yuexin.prepare('poison');
    await b.yuexin.prepare('s');
    await b.tap('poison');
    await settle();
    await b.tap('s');
    await settle();
    assert.equal(arrived.length, 1);
    same(b.stored().map((report) => report.scene), ['poison']);
  });

  it('is not tried again and again while the network is down: a flush stops after three failures', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.online = false;
    for (let i = 0; i < 6; i++) {
      b.now += 60 * 1000;
      await b.tap('s');
      await settle();
    }
    b.reports.length = 0;
    await b.yuexin.flush();
    assert.equal(b.reports.length, 3);
    b.reports.length = 0;
    await b.yuexin.flush();
    same(b.reports.length, 3);
    b.online = true;
    await b.yuexin.flush();
    same(b.stored(), []);
  });

  it('that failed goes to the end of the queue, behind those not tried yet', async () => {
    const tried = [];
    const b = bench({ report: (report) => (tried.push(report.occurred_at.slice(14, 16)), Promise.reject(new Error('500'))) });
    await b.yuexin.prepare('s');
    for (let i = 0; i < 4; i++) {
      b.now += 60 * 1000;
      await b.tap('s');
      await settle();
    }
    tried.length = 0;
    await b.yuexin.flush();
    await b.yuexin.flush();
    assert.equal(new Set(tried).size, 4, 'two flushes of three reach all four');
  });

  it('never shares its occurred_at with another, even within one millisecond', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    for (let i = 0; i < 3; i++) await b.tap('s');
    await settle();
    same(b.reports.map((report) => report.occurred_at.slice(-5)), ['.000Z', '.001Z', '.002Z']);
  });

  it('is delivered once when prepare and a tap flush side by side', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.online = false;
    await b.tap('s');
    await settle();
    b.online = true;
    b.reports.length = 0;
    await Promise.all([b.yuexin.prepare('s'), b.tap('s'), b.yuexin.flush(), b.yuexin.flush()]);
    await settle();
    assert.equal(b.reports.length, 2);
    assert.equal(new Set(b.reports.map((report) => report.occurred_at)).size, 2);
  });

  it('cannot change under way: the back end gets a copy', async () => {
    const b = bench({
      report: (report) => {
        report.grants.length = 0;
        return Promise.reject(new Error('500'));
      }
    });
    await b.yuexin.prepare('s');
    await b.tap('s');
    await settle();
    assert.equal(b.stored()[0].grants.length, 1);
  });

  it('waits in a queue that is bounded: failures without a grant go first, then the oldest', async () => {
    const b = bench({ queueLimit: 3 });
    await b.yuexin.prepare('s');
    b.online = false;
    const step = async (code) => {
      b.now += 60 * 1000;
      b.wx.failWith = code;
      await b.tap('s');
      await settle();
    };
    await step(0);
    await step(10005);
    await step(0);
    await step(0);
    same(b.stored().map((report) => report.grants.length), [1, 1, 1]);
    await step(0);
    const times = b.stored().map((report) => report.occurred_at).sort();
    same([times.length, times[0]], [3, '2026-03-05T01:03:00.000Z']);
    assert.equal(b.errors.filter((error) => /queue of reports is full/.test(error[1])).length, 2);
  });

  it('older than thirty days is given up, and that is said', async () => {
    const b = bench();
    await b.yuexin.prepare('s');
    b.online = false;
    await b.tap('s');
    await settle();
    b.now += 31 * 24 * 3600 * 1000;
    b.errors.length = 0;
    b.restart();
    same([b.stored(), b.errors], [[], [['report', 'a report was too old: it is given up']]]);
  });
});

describe('storage that fails', () => {
  it('costs the memory of a restart, nothing else', async () => {
    const b = bench();
    b.wx.storageFails = true;
    b.restart();
    await b.yuexin.prepare('s');
    b.online = false;
    assert.equal((await b.tap('s')).accepted.length, 1);
    await settle();
    b.online = true;
    await b.yuexin.flush();
    assert.equal(b.reports.length, 2, 'lost once, then replayed from memory');
    assert.ok(b.errors.some((error) => error[0] === 'storage'));
  });

  it('with rubbish in it starts empty', async () => {
    for (const rubbish of ['null', '"x"', '[1,null,{"grants":[]}]', '{"s":{"ask":1}}', '[["s",{"ask":[{}],"started":1,"left_out":[]}]]']) {
      const wx = fakeWx(KINDS);
      ['plans', 'refusals', 'reports'].forEach((name) => wx.storage.set('yuexin.' + name, rubbish));
      const b = bench({ wx: wx });
      assert.equal((await b.tap('s')).source, 'none');
      await b.yuexin.prepare('s');
      assert.equal((await b.tap('s')).accepted.length, 1);
    }
  });
});

describe('over a long and unreliable day', () => {
  it('the server, counting each occurred_at once, ends with what WeChat counted', async () => {
    let seed = 20260305;
    const random = (n) => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16) % n;
    const wx = fakeWx(KINDS, (ids) => Object.fromEntries(ids.map((id) => [id, random(4) ? 'accept' : 'reject'])));
    const seen = new Map();
    const b = bench({
      wx: wx,
      refusalWait: 1,
      report: (report) => {
        if (random(3) === 0) return Promise.reject(new Error('lost before it arrived'));
        seen.set(report.occurred_at, report);
        return random(3) === 0 ? Promise.reject(new Error('the answer was lost')) : Promise.resolve();
      }
    });
    for (let i = 0; i < 400; i++) {
      b.now += random(600) * 1000;
      b.plan = { ask: [[ORDER, REFUND], [BILL], [REFUND], []][random(4)] };
      if (random(3)) await b.yuexin.prepare('s');
      await b.tap('s');
      if (random(10) === 0) b.restart();
    }
    for (let i = 0; i < 60 && b.stored().length > 0; i++) await b.yuexin.flush();
    const counted = {};
    seen.forEach((report) => report.grants.filter((grant) => grant.decision === 'accept').forEach((grant) => (counted[grant.template] = (counted[grant.template] || 0) + 1)));
    same(counted, wx.truth);
    assert.ok(wx.truth['T-order'] > 10 && wx.truth['T-bill'] > 10, 'the day was long enough to mean something');
  });
});

describe('failures', () => {
  const { explain } = loadYuexin({});
  const cases = [
    [10001, 'no_templates', 'never'], [10002, 'network', 'next_tap'], [10003, 'network', 'next_tap'], [10004, 'bad_argument', 'never'],
    [10005, 'in_background', 'later'], [20001, 'unknown_template', 'never'], [20002, 'kinds_not_mixed', 'never'], [20003, 'too_many_templates', 'never'],
    [20004, 'main_switch_off', 'settings'], [20005, 'banned', 'never'], [20013, 'device_template', 'never']
  ];
  for (const [errCode, code, retry] of cases) {
    it('with errCode ' + errCode + ' mean ' + code + ' and are retried: ' + retry, async () => {
      const b = bench();
      await b.yuexin.prepare('s');
      b.wx.failWith = errCode;
      const answer = await b.tap('s');
      await settle();
      same([answer.error.errcode, answer.error.code, answer.error.retry], [errCode, code, retry]);
      assert.equal(answer.error.outcome, errCode === 10003 ? 'unknown' : 'none');
      assert.ok(answer.error.meaning && answer.error.meaning_zh);
      same(b.reports[0].error, answer.error);
    });
  }

  it('of any shape are explained', () => {
    for (const failure of [undefined, null, 'x', 7, {}, new Error('boom'), { errCode: '20004' }]) assert.ok(explain(failure).code);
    assert.equal(explain({ errCode: '20004' }).code, 'main_switch_off');
    assert.equal(explain(new Error('boom')).errmsg, 'boom');
  });
});

describe('the file', () => {
  it('refuses missing options when the mini program starts, not at a user\'s tap', () => {
    const { createYuexin } = loadYuexin(fakeWx(KINDS));
    const good = { fetchPlan() {}, report() {} };
    createYuexin(good);
    for (const bad of [undefined, {}, { fetchPlan() {} }, Object.assign({}, good, { configured: { s: 'T-order' } }), Object.assign({}, good, { configured: { s: [] } })]) {
      assert.throws(() => createYuexin(bad), { name: 'TypeError', message: /createYuexin/ });
    }
  });

  it('survives a logger that throws', async () => {
    const b = bench({ onError: () => { throw new Error('logger'); } });
    b.online = false;
    await b.yuexin.prepare('s');
  });

  it('needs no transpiler beyond ES2015 and no Node globals', () => {
    const source = fs.readFileSync(path.join(__dirname, 'yuexin.js'), 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*$|'[^'\n]*'/gm, '');
    assert.doesNotMatch(source, /\?\.|\?\?|\basync\b|\bawait\b|\.\.\.\w|\.finally\(|\.flatMap\(|\.fromEntries\(|\*\*|\brequire\(|\bprocess\b/);
  });

  it('exports what its types declare', () => {
    const declared = [...fs.readFileSync(path.join(__dirname, 'yuexin.d.ts'), 'utf8').matchAll(/^export function (\w+)/gm)].map((match) => match[1]);
    same(Object.keys(loadYuexin({})).sort(), declared.sort());
  });
});

for (const name of ['README.md', 'README.zh-CN.md']) {
  describe('the example in ' + name, () => {
    it('works as printed', async () => {
      const [app, page] = [...fs.readFileSync(path.join(__dirname, name), 'utf8').matchAll(/```js\n([^]*?)```/g)].map((match) => match[1]);
      const wx = fakeWx({ 'T-order': 'one_time' });
      const requests = [];
      wx.request = (options) => {
        requests.push([options.method, options.url, plain(options.data)]);
        queueMicrotask(() => options.success({ statusCode: 200, data: options.url.endsWith('/plan') ? { ask: [ORDER], left_out: [] } : {} }));
      };
      let theApp;
      let thePage;
      const orders = [];
      vm.runInNewContext('{' + app + '}{' + page + '}', {
        wx: wx,
        console: console,
        require: () => loadYuexin(wx),
        App: (definition) => (theApp = definition),
        getApp: () => theApp,
        Page: (definition) => (thePage = Object.assign(definition, { placeOrder: (order) => orders.push(plain(order)) }))
      });
      thePage.onShow();
      await settle();
      wx.tap(() => thePage.onPlaceOrder());
      await settle();
      same(orders, [{ willBeNotified: true }]);
      same(requests.map((request) => request[1].replace('https://api.example.com/subscription/', '')), ['plan', 'report', 'plan']);
      same(requests[1][2].grants, [{ template: 'T-order', decision: 'accept' }]);
    });
  });
}
