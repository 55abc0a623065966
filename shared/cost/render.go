package cost

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
)

//go:embed prices.json
var pricesFile []byte

// Known returns the prices that come with the program, by region. For another region, or newer prices, parse a file of the
// same form with ParsePrices.
func Known() []Prices {
	all, err := ParsePrices(pricesFile)
	if err != nil {
		panic("cost: prices.json: " + err.Error()) // a test reads it
	}
	return all
}

// ParsePrices reads a list of prices, as prices.json has it. Every price must be there: a missing one would be a bill
// that is too low.
func ParsePrices(raw []byte) ([]Prices, error) {
	var members []map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("prices are a JSON list of objects: %w", err)
	}
	var all []Prices
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	whole, err := json.Marshal(Prices{})
	if err != nil {
		return nil, err
	}
	var names map[string]any
	if err := json.Unmarshal(whole, &names); err != nil {
		return nil, err
	}
	for i, given := range members {
		for name := range names {
			if _, there := given[name]; !there {
				return nil, fmt.Errorf("price list %d (%s): %s is missing", i+1, all[i].Region, name)
			}
		}
		for name := range given {
			if _, known := names[name]; !known {
				return nil, fmt.Errorf("price list %d (%s): %s is no price", i+1, all[i].Region, name)
			}
		}
	}
	return all, nil
}

// Text renders the bill as a table for people.
func (e Estimate) Text() string {
	var b strings.Builder
	f := e.Figures
	fmt.Fprintf(&b, "%s messages a month (%s scheduled, %s on demand, %s for later), %s sent events, %s grants.\n",
		count(e.Messages()), count(f.Scheduled), count(f.OnDemand), count(f.Later), count(f.Events), count(f.Grants))
	fmt.Fprintf(&b, "Prices of %s, %s, without free tiers.\n\n", e.Prices.Region, e.Prices.AsOf)
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', tabwriter.AlignRight)
	for _, l := range e.Lines {
		fmt.Fprintf(w, "%s\t %s\t%.2f\t %s\t%.2f %s\t\n", l.Service, l.What, l.Quantity, l.Unit, l.Amount(), e.Prices.Currency)
	}
	fmt.Fprintf(w, "\t\t\t total\t%.2f %s\t\n", e.Total(), e.Prices.Currency)
	if n := e.Messages(); n > 0 {
		fmt.Fprintf(w, "\t\t\t a thousand messages\t%.4f %s\t\n", e.Total()/n*1000, e.Prices.Currency)
	}
	_ = w.Flush() // into memory: it cannot fail
	return b.String()
}

// count writes a number with its thousands apart.
func count(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
