// Package cost estimates what messages cost on AWS: capacity units as they were counted, not guessed, times prices that are
// data with a date. It is arithmetic; nothing is asked of anybody.
//
// What no counting can tell is marked as an assumption in [Figures]: how long WeChat takes, how much is logged.
// What an installation pays whatever it sends (a NAT gateway for a fixed address) and traffic to WeChat are left out.
package cost

import "fmt"

// Figures describe a month. DefaultFigures has values for all of them.
type Figures struct {
	Scheduled float64 // messages of audience schedules
	OnDemand  float64 // messages sent while their request waits
	Later     float64 // messages accepted at once and sent by a worker: mode async, send_at
	Events    float64 // sent events that WeChat pushes; one for each message, where the message push is set up
	Grants    float64 // grants that WeChat pushes or the mini program reports

	// Assumptions: measure your own.
	WeChatSeconds  float64 // that one call to WeChat takes
	Parallel       float64 // calls under way at a time in one deliver instance, on average
	RequestSeconds float64 // of a request's or push's own work, without WeChat
	LogBytes       float64 // for each request and push: our line, metrics, and what Lambda writes; a message of a job has none
	KeptMonths     float64 // that finished sends are kept (90 days)
	RecordBytes    float64 // of a finished send in the table, DynamoDB's overhead included

	DeliverGB float64 // memory of the deliver function
	RequestGB float64 // memory of grant and send
	Apps      float64 // configured apps: each has metrics of its own
}

// DefaultFigures is a million scheduled messages with their events, for one app, as serverless.yml deploys it.
func DefaultFigures() Figures {
	return Figures{
		Scheduled: 1e6, Events: 1e6,
		WeChatSeconds: 0.08, Parallel: 32, RequestSeconds: 0.02, LogBytes: 900, KeptMonths: 3, RecordBytes: 750,
		DeliverGB: 1, RequestGB: 0.5, Apps: 1,
	}
}

// Units are DynamoDB's capacity units (on demand: request units) for one piece of work, the due index included.
type Units struct{ Write, Read float64 }

// What each piece of work was counted to take, averaged over a batch; a test counts again. Writes are of 1 KB, reads
// consistent and of 4 KB.
var (
	PerScheduled = Units{2.02, 2.06}
	PerOnDemand  = Units{5.00, 2.00}
	PerLater     = Units{5.00, 4.06}
	PerEvent     = Units{1.00, 4.00}
	PerGrant     = Units{3.00, 2.00} // long-term; a one-time grant has no audience entry to write
)

// Prices are those of one region.
type Prices struct {
	Region   string `json:"region"`
	Currency string `json:"currency"`
	AsOf     string `json:"as_of"` // date of the prices
	Source   string `json:"source"`

	WriteUnits      float64 `json:"write_units_million"`
	ReadUnits       float64 `json:"read_units_million"`
	TableGBMonth    float64 `json:"table_gb_month"`
	RecoveryGBMonth float64 `json:"recovery_gb_month"` // point-in-time recovery
	LambdaRequests  float64 `json:"lambda_requests_million"`
	LambdaGBSecond  float64 `json:"lambda_gb_second"`
	SQSRequests     float64 `json:"sqs_requests_million"`
	APIRequests     float64 `json:"api_requests_million"`
	LogGB           float64 `json:"log_gb"`
	MetricMonth     float64 `json:"metric_month"`
	AlarmMonth      float64 `json:"alarm_month"`
}

// Line is one position of a bill.
type Line struct {
	Service  string
	What     string
	Quantity float64
	Unit     string  // what Quantity counts
	Price    float64 // of one unit
}

// Amount is what the line comes to.
func (l Line) Amount() float64 { return l.Quantity * l.Price }

// Estimate is a bill for one month.
type Estimate struct {
	Figures Figures
	Prices  Prices
	Lines   []Line
}

// Messages is how many messages the bill is for.
func (e Estimate) Messages() float64 {
	return e.Figures.Scheduled + e.Figures.OnDemand + e.Figures.Later
}

// Total is the sum of the lines.
func (e Estimate) Total() float64 {
	sum := 0.0
	for _, l := range e.Lines {
		sum += l.Amount()
	}
	return sum
}

// The shape of the installation, as serverless.yml and shared/setup make it.
const (
	ticks         = 60 * 24 * 365.25 / 12 // of the schedule function in a month
	perJobRun     = 20_000                // messages that one invocation of deliver takes a fan-out job on by
	wakeRequests  = 3                     // of SQS for each wake-up: send, receive, delete
	polls         = 5 * 3 * ticks         // Lambda keeps five pollers at an idle queue, each asking every 20 s
	metricsPerApp = 13                    // eight outcomes and five others, see package emf
	alarms        = 10
	million       = 1e6
	gigabyte      = 1e9
)

// Bill multiplies figures by prices.
func Bill(f Figures, p Prices) Estimate {
	units := Units{}
	for _, part := range []struct {
		n   float64
		per Units
	}{{f.Scheduled, PerScheduled}, {f.OnDemand, PerOnDemand}, {f.Later, PerLater}, {f.Events, PerEvent}, {f.Grants, PerGrant}} {
		units.Write += part.n * part.per.Write
		units.Read += part.n * part.per.Read
	}
	messages := f.Scheduled + f.OnDemand + f.Later
	kept := messages * f.KeptMonths * f.RecordBytes / gigabyte

	requests := f.OnDemand + f.Later + f.Events + f.Grants // over HTTP
	wakes := f.Later + f.Scheduled/perJobRun               // at worst one for each send: a quiet queue makes no batches
	invocations := requests + wakes + ticks

	// A job waits for many answers at once; everything else for its own.
	waiting := f.Scheduled*f.WeChatSeconds/f.Parallel*f.DeliverGB + f.Later*f.WeChatSeconds*f.DeliverGB + f.OnDemand*f.WeChatSeconds*f.RequestGB
	working := (requests+ticks)*f.RequestSeconds*f.RequestGB + f.Later*f.RequestSeconds*f.DeliverGB

	return Estimate{Figures: f, Prices: p, Lines: []Line{
		{"DynamoDB", "writes", units.Write / million, "million units", p.WriteUnits},
		{"DynamoDB", "reads", units.Read / million, "million units", p.ReadUnits},
		{"DynamoDB", "finished sends kept, with point-in-time recovery", kept, "GB-months", p.TableGBMonth + p.RecoveryGBMonth},
		{"Lambda", "invocations", invocations / million, "million", p.LambdaRequests},
		{"Lambda", "time", waiting + working, "GB-seconds", p.LambdaGBSecond},
		{"SQS", "requests", (wakeRequests*wakes + polls) / million, "million", p.SQSRequests},
		{"API Gateway", "requests", requests / million, "million", p.APIRequests},
		{"CloudWatch", "logs", requests * f.LogBytes / gigabyte, "GB", p.LogGB},
		{"CloudWatch", "metrics", metricsPerApp*f.Apps + 1, "metrics", p.MetricMonth},
		{"CloudWatch", "alarms", alarms, "alarms", p.AlarmMonth},
	}}
}

// String is one line for logs and errors.
func (p Prices) String() string { return fmt.Sprintf("%s in %s, %s", p.Region, p.Currency, p.AsOf) }
