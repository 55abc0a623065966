// Package submsg is the ledger of what WeChat users agreed to receive, and the path on which messages go to them: never more
// than was agreed, once for each key and occurrence, and nothing that was accepted is lost.
//
// Every use case is three steps: load a few records, let a pure function decide the next ones, save each on condition that
// it did not change meanwhile. On conflict it starts over. Everything that must hold, holds within one record, the
// subscriber or the send; other records follow from it, and are written in the order in which a crash between two writes
// does no harm. There are no locks and no transactions, so one question is asked everywhere: what if we stop after this
// write?
//
// A send holds a reservation on its subscriber while WeChat is called. Four rules make that safe:
//
//   - fence: a call starts only while more than its own time is left of the lease and of the worker's deadline;
//   - keep: a reservation is cleared by the next write to the subscriber once its send has a settled result, and that
//     write applies it: spent, given back, or the balance zeroed;
//   - outrank: past its lease and without an answer, an open reservation makes its send unknown, whatever was recorded
//     before, and whoever finds it;
//   - answer: WeChat's answer replaces every other account of a send, and nothing replaces an answer but the sent event.
//
// Read records.go and schedule_records.go first, then the port in store.go and those in ports.go. The decisions are in grant.go (what
// a user's decision does), decide.go (what happens to a send now), settle.go (what an attempt did to the balance), outcome.go
// (what WeChat's answer means), verdict.go (what an unanswered call was), event.go (which send a sent event means) and
// occurrence.go (which occurrences of a schedule fire). The other files are the use cases over them, on [Service].
package submsg
