// Package policy is the rules engine of Yuexin: it takes what is known about a
// message, a template, a schedule or a prompt, and answers what may be done,
// under which rule's name, from when on, and with a sentence for the person who
// has to act on it.
//
// Every caller asks the same engine, so that no rule is written twice and no
// two places can disagree:
//
//   - the send path and its dry run ask [Engine.Decide];
//   - schedules ask [CheckSchedule] when they are made, and Decide at each occurrence;
//   - the mini program's prompt asks [Plan];
//   - the template audit asks [Audit];
//   - the configuration check asks [CheckApp];
//   - the handling of WeChat's penalties asks [Suspend] and [DailyQuotaHold].
//
// The rules themselves are data: [Rules] lists every one with its source, its
// default and how to tune it, and the word lists lie in words/, one file for
// each rule. docs/rules.md is generated from both.
//
// Sources are named as they are in docs/rules.md: 运营规范 is the code of conduct
// for template messages (模板消息运营规范), 实战指南 and 长期订阅指南 are guides to
// subscription messages and to long-term ones.
//
// The package does no I/O and keeps no clock: the moment of the decision, the
// history and the zones are part of the question, so that the same question
// always gets the same answer.
package policy
