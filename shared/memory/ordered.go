package memory

import (
	"iter"
	"slices"
	"sort"
)

// chunkSize bounds the slices that an ordered set is cut into: an insertion moves at most this many
// elements, whatever the size of the set.
const chunkSize = 256

// ordering is what an element of an ordered set must offer: a negative number, zero or a positive
// number as it stands before, at or after the other.
type ordering[T any] interface{ compare(T) int }

// ordered is a sorted set: sorted chunks of at most chunkSize elements, none of them empty. A million
// elements cost two binary searches and one short copy per change, with no pointer per element. The
// zero value is an empty set. It is not safe for concurrent use.
type ordered[T ordering[T]] struct{ chunks [][]T }

// find returns where x is, or where it would have to be inserted.
func (o *ordered[T]) find(x T) (chunk, index int, found bool) {
	chunk = sort.Search(len(o.chunks), func(i int) bool { return o.chunks[i][0].compare(x) > 0 })
	if chunk == 0 {
		return 0, 0, false // before everything, or nothing there
	}
	chunk--
	c := o.chunks[chunk]
	index = sort.Search(len(c), func(i int) bool { return c[i].compare(x) >= 0 })
	return chunk, index, index < len(c) && c[index].compare(x) == 0
}

// get returns the element that compares equal to x.
func (o *ordered[T]) get(x T) (T, bool) {
	chunk, index, found := o.find(x)
	if !found {
		var none T
		return none, false
	}
	return o.chunks[chunk][index], true
}

// insert adds x; an element that compares equal is replaced.
func (o *ordered[T]) insert(x T) {
	chunk, index, found := o.find(x)
	switch {
	case found:
		o.chunks[chunk][index] = x
		return
	case len(o.chunks) == 0:
		o.chunks = [][]T{{x}}
		return
	}
	c := slices.Insert(o.chunks[chunk], index, x)
	o.chunks[chunk] = c
	if len(c) > chunkSize {
		// The upper half is copied, so that the two can grow without overwriting each other.
		half := len(c) / 2
		upper := append(make([]T, 0, chunkSize), c[half:]...)
		clear(c[half:])
		o.chunks[chunk] = c[:half:half]
		o.chunks = slices.Insert(o.chunks, chunk+1, upper)
	}
}

// remove takes out the element that compares equal to x, if there is one.
func (o *ordered[T]) remove(x T) {
	chunk, index, found := o.find(x)
	if !found {
		return
	}
	o.chunks[chunk] = slices.Delete(o.chunks[chunk], index, index+1)
	if len(o.chunks[chunk]) == 0 {
		o.chunks = slices.Delete(o.chunks, chunk, chunk+1)
	}
}

// empty reports whether nothing is in the set.
func (o *ordered[T]) empty() bool { return len(o.chunks) == 0 }

// first returns the least element.
func (o *ordered[T]) first() (T, bool) {
	if o.empty() {
		var none T
		return none, false
	}
	return o.chunks[0][0], true
}

// all yields the elements in order. The set must not change meanwhile.
func (o *ordered[T]) all() iter.Seq[T] { return o.from(0, 0) }

// after yields the elements greater than x in order. The set must not change meanwhile.
func (o *ordered[T]) after(x T) iter.Seq[T] {
	chunk, index, found := o.find(x)
	if found {
		index++
	}
	return o.from(chunk, index)
}

// from yields the elements from a position on.
func (o *ordered[T]) from(chunk, index int) iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := chunk; i < len(o.chunks); i++ {
			c := o.chunks[i]
			if i == chunk {
				c = c[index:]
			}
			for _, x := range c {
				if !yield(x) {
					return
				}
			}
		}
	}
}
