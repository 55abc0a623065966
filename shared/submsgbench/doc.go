// Package submsgbench measures the whole send path, from the request to the recorded answer, and asserts what it may
// cost the store. It holds tests and benchmarks only.
//
// Speed is told as a share of what net/http does by itself: each round sends a number of messages through the ledger, then
// posts the same bytes the same number of times to the same server, in turn and in one process, so that whatever else
// the machine is doing hits both. The ratio is the median over the rounds; sends/s and posts/s are medians too.
// cpu-µs is the processor time of the whole process, the simulated WeChat included, which is the same for both:
// the difference is what the ledger costs.
//
//	go test -run '^$' -bench 'Send|FanOut' -benchtime 9x ./shared/submsgbench
//
// What a send costs without HTTP, with allocations, and where the time goes:
//
//	go test -run '^$' -bench Own -cpuprofile cpu.out -o submsgbench.test ./shared/submsgbench
//	go tool pprof -top submsgbench.test cpu.out
//
// Store writes, reads and round trips for each message, exact, are held to their budget by the tests and listed by
//
//	go test -run Budget -v ./shared/submsgbench
//
// An audience drained against a WeChat that takes 40 ms to answer, as a share of workers ÷ latency, with the peak of
// memory. The default is 10,000 subscribers; the whole size takes a minute and 1 GB:
//
//	go test -run '^$' -bench Drain -benchtime 1x ./shared/submsgbench -audience 100000
package submsgbench
