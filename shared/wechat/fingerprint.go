package wechat

import (
	"cmp"
	"slices"
)

// fingerprint digests what an event says: its name, user, time and items in a fixed order. It serves to know an
// event again, not to keep secrets; who can forge a push has the token anyway.
func fingerprint(e *Event) uint64 {
	h := newDigest()
	h.text(e.Name)
	h.text(e.OpenID)
	h.number(e.At.Unix())
	items := e.Items
	if len(items) > 1 {
		items = slices.SortedFunc(slices.Values(items), compareItems)
	}
	for i := range items {
		it := &items[i]
		h.text(it.TemplateID)
		h.text(it.Status)
		h.text(it.Scene)
		h.number(it.MsgID)
		h.number(int64(it.ErrorCode))
		h.text(it.ErrorStatus)
	}
	return max(uint64(h), 1)
}

func compareItems(a, b Item) int {
	return cmp.Or(
		cmp.Compare(a.TemplateID, b.TemplateID),
		cmp.Compare(a.MsgID, b.MsgID),
		cmp.Compare(a.Status, b.Status),
		cmp.Compare(a.Scene, b.Scene),
		cmp.Compare(a.ErrorCode, b.ErrorCode),
		cmp.Compare(a.ErrorStatus, b.ErrorStatus),
	)
}

// digest is 64-bit FNV-1a. Part of the stored data: it never changes.
type digest uint64

func newDigest() digest { return 14695981039346656037 }

func (h *digest) byte(b byte) { *h = (*h ^ digest(b)) * 1099511628211 }

// text adds a string and its length, so that neighbours cannot run together.
func (h *digest) text(s string) {
	h.number(int64(len(s)))
	for i := range len(s) {
		h.byte(s[i])
	}
}

func (h *digest) number(n int64) {
	for shift := 0; shift < 64; shift += 8 {
		h.byte(byte(n >> shift))
	}
}
