package policy

import "slices"

// Fingerprint is the hash of one template with one content, by which no_burst
// recognises a repetition. It is never 0 and stays the same over releases and
// machines, because it is stored.
func Fingerprint(templateID string, data map[string]string) uint64 {
	keys := make([]string, 0, 8)
	for k := range data {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	h := hashString(fnvOffset, templateID)
	for _, k := range keys {
		h = hashString(hashString(h, k), data[k])
	}
	return nonZero(mix(h))
}

// HashKey is the hash under which a trigger or the value of a key field is
// kept in a subscriber's record. The empty string is 0, which means none.
func HashKey(s string) uint64 {
	if s == "" {
		return 0
	}
	return nonZero(mix(hashString(fnvOffset, s)))
}

// FNV-1a, spelt out: hash/fnv would cost an allocation and an interface call,
// and hash/maphash differs between processes.
const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

// hashString adds s and its length's end, so that ("ab","c") and ("a","bc") differ.
func hashString(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return (h ^ 0xff) * fnvPrime // no byte of UTF-8 is 0xff
}

// mix spreads the entropy of a 64-bit value over all its bits (the finaliser
// of SplitMix64), so that its remainder by any number is even.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

func nonZero(h uint64) uint64 {
	if h == 0 {
		return 1
	}
	return h
}
