package memory

import (
	"iter"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// partition holds the records of one partition. Subscribers and sends are alone in theirs, and they are by far the most:
// a single record is held as it is, and only a second one makes it a set. The zero value is an empty partition.
type partition struct {
	one  *submsg.Record   // while there is exactly one
	many *ordered[bySort] // from the second on
}

// find returns the record with that sort key, or nil.
func (p partition) find(sort string) *submsg.Record {
	switch {
	case p.one != nil && p.one.Key.Sort == sort:
		return p.one
	case p.many != nil:
		e, _ := p.many.get(bySort{sort: sort})
		return e.rec
	}
	return nil
}

// with is the partition with a record that was not in it.
func (p partition) with(rec *submsg.Record) partition {
	switch {
	case p.one == nil && p.many == nil:
		return partition{one: rec}
	case p.many == nil:
		p.many = new(ordered[bySort])
		p.many.insert(bySort{p.one.Key.Sort, p.one})
		p.one = nil
	}
	p.many.insert(bySort{rec.Key.Sort, rec})
	return p
}

// without is the partition without the record of that sort key.
func (p partition) without(sort string) partition {
	if p.many != nil {
		if p.many.remove(bySort{sort: sort}); !p.many.empty() {
			return p
		}
	}
	return partition{}
}

// empty reports whether nothing is in the partition.
func (p partition) empty() bool { return p.one == nil && p.many == nil }

// after yields the records with a greater sort key in order. The partition must not change meanwhile.
func (p partition) after(sort string) iter.Seq[*submsg.Record] {
	return func(yield func(*submsg.Record) bool) {
		switch {
		case p.one != nil && p.one.Key.Sort > sort:
			yield(p.one)
		case p.many != nil:
			for e := range p.many.after(bySort{sort: sort}) {
				if !yield(e.rec) {
					return
				}
			}
		}
	}
}
