package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/trellis-go/trellis/auth"
)

func key(id string, at time.Time) auth.Key {
	return auth.Key{ID: id, Seed: []byte(id + "\x00\xff"), CreatedAt: at, SignsFrom: at.Add(time.Hour)}
}

func updateKeys(t *testing.T, s auth.Store) {
	ctx := t.Context()
	a, b, c := key("a", noon.Add(time.Minute)), key("b", noon), key("c", time.Date(1969, 1, 1, 0, 0, 0, 1_000, time.UTC))
	changed := b
	changed.Seed, changed.SignsFrom = []byte("other"), noon
	odd := key("z", time.Date(2030, 1, 1, 0, 0, 0, 123_456_789, time.FixedZone("", 3600)))
	oddKept := odd
	oddKept.CreatedAt, oddKept.SignsFrom = kept(odd.CreatedAt), kept(odd.SignsFrom)
	for i, step := range []struct {
		returns, want []auth.Key
	}{
		{nil, nil},
		{[]auth.Key{a}, []auth.Key{a}},
		{[]auth.Key{a, b}, []auth.Key{b, a}},
		{[]auth.Key{b, a, c}, []auth.Key{c, b, a}},
		{[]auth.Key{c, changed}, []auth.Key{c, b}}, // a key is never changed
		{[]auth.Key{c, b, odd}, []auth.Key{c, b, oddKept}},
		{[]auth.Key{b}, []auth.Key{b}},
		{[]auth.Key{}, nil},
	} {
		got, err := s.UpdateKeys(ctx, func([]auth.Key) []auth.Key { return step.returns })
		ok(t, err)
		again, err := s.UpdateKeys(ctx, func(keys []auth.Key) []auth.Key { return keys })
		ok(t, err)
		equal(t, len(got), len(step.want))
		if len(step.want) > 0 {
			t.Log("step", i)
			equal(t, got, step.want)
			equal(t, again, step.want)
		}
	}
}

// updateKeysAtOnce: of many who add the first key one does, and all get that one.
func updateKeysAtOnce(t *testing.T, s auth.Store) {
	ctx := t.Context()
	for range 8 {
		_, err := s.UpdateKeys(ctx, func([]auth.Key) []auth.Key { return nil })
		ok(t, err)
		got := make([][]auth.Key, 16)
		ok(t, errors.Join(atOnce(len(got), func(i int) (err error) {
			got[i], err = s.UpdateKeys(ctx, func(keys []auth.Key) []auth.Key {
				if len(keys) == 0 {
					keys = append(keys, key(number("key", i), noon))
				}
				return keys
			})
			return err
		})...))
		for _, keys := range got {
			equal(t, len(keys), 1)
			equal(t, keys, got[0])
		}
	}
}

// changeGetsACopyOfKeys: what change does to its slice it does to that alone.
func changeGetsACopyOfKeys(t *testing.T, s auth.Store) {
	ctx := t.Context()
	a, b := key("a", noon), key("b", noon.Add(time.Hour))
	_, err := s.UpdateKeys(ctx, func([]auth.Key) []auth.Key { return []auth.Key{a, b} })
	ok(t, err)
	got, err := s.UpdateKeys(ctx, func(keys []auth.Key) []auth.Key {
		keys[0], keys[1] = keys[1], keys[0]
		return keys[:1]
	})
	ok(t, err)
	equal(t, got, []auth.Key{b})
}
