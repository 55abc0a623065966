/**
 * A WeChat client for tests: it keeps the platform's rules that pages trip over (tap state, one panel at a time, kinds,
 * number of templates, main switch, "always keep") and its own count of what the user really accepted.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const CODES = { 20001: 'No template data return', 20002: 'Templates type must be same', 20003: 'Templates count out of max bounds', 20004: 'The main switch is switched off' };

/**
 * fakeWx: `kinds` maps the account's template ids to one_time or long_term, `user` answers the panel (ids -> {id: word}),
 * and the mutable fields (mainSwitch, kept, storageFails, mute, failWith) set the scene.
 */
function fakeWx(kinds, user) {
  let tapping = false;
  let panelOpen = false;
  const self = {
    kinds: kinds,
    user: user || ((ids) => Object.fromEntries(ids.map((id) => [id, 'accept']))),
    max: 3,
    mainSwitch: true,
    kept: {},
    legacySettings: false, // ids beside mainSwitch, as older clients answer
    storageFails: false,
    mute: false, // never answers: keep the callbacks in self.pending
    failWith: null,
    storage: new Map(),
    pending: [],
    calls: [], // tmplIds of every call
    truth: {}, // template id -> accepts that WeChat counted

    /** tap runs a page's handler the way a finger does: the tap state ends with the handler's synchronous part. */
    tap(handler) {
      tapping = true;
      try {
        return handler();
      } finally {
        tapping = false;
      }
    },

    requestSubscribeMessage(options) {
      const ids = options.tmplIds;
      self.calls.push(ids.slice());
      const fail = (errCode, errMsg) => queueMicrotask(() => options.fail(errCode ? { errCode: errCode, errMsg: 'requestSubscribeMessage:fail ' + errMsg } : { errMsg: 'requestSubscribeMessage:fail ' + errMsg }));
      if (!tapping) return fail(0, 'can only be invoked by user TAP gesture.');
      if (panelOpen) return fail(0, 'last call has not ended');
      if (self.failWith) return fail(self.failWith, 'scripted');
      const unknown = ids.filter((id) => !self.kinds[id]);
      if (unknown.length > 0) return fail(20001, CODES[20001]);
      if (ids.length > self.max) return fail(20003, CODES[20003]);
      if (new Set(ids.map((id) => self.kinds[id] === 'one_time')).size > 1) return fail(20002, CODES[20002]);
      if (!self.mainSwitch) return fail(20004, CODES[20004]);
      panelOpen = true;
      const close = () => {
        panelOpen = false;
        const words = Object.assign(self.user(ids), Object.fromEntries(ids.filter((id) => self.kept[id]).map((id) => [id, self.kept[id]])));
        ids.forEach((id) => {
          if (String(words[id]).startsWith('accept')) self.truth[id] = (self.truth[id] || 0) + 1;
        });
        options.success(Object.assign({ errMsg: 'requestSubscribeMessage:ok' }, words));
      };
      if (self.mute) self.pending.push(close);
      else queueMicrotask(close);
      return undefined;
    },

    getSetting(options) {
      const setting = self.legacySettings ? Object.assign({ mainSwitch: self.mainSwitch }, self.kept) : { mainSwitch: self.mainSwitch, itemSettings: self.kept };
      queueMicrotask(() => options.success({ authSetting: {}, subscriptionsSetting: options.withSubscriptions ? setting : undefined }));
    },

    getStorageSync(key) {
      if (self.storageFails) throw new Error('getStorageSync:fail');
      return self.storage.has(key) ? JSON.parse(self.storage.get(key)) : '';
    },

    setStorageSync(key, value) {
      if (self.storageFails) throw new Error('setStorageSync:fail exceed max size');
      self.storage.set(key, JSON.stringify(value));
    }
  };
  return self;
}

/** loadYuexin evaluates yuexin.js with nothing but what a mini program offers: no Node globals to lean on. */
function loadYuexin(wx) {
  const file = path.join(__dirname, 'yuexin.js');
  const sandbox = {
    wx: wx,
    module: { exports: {} },
    // Looked up at each call, so that a test's mocked timers are used.
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer)
  };
  vm.runInNewContext(fs.readFileSync(file, 'utf8'), sandbox, { filename: file });
  return sandbox.module.exports;
}

module.exports = { fakeWx, loadYuexin };
