package django_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/django"
)

func TestParseTime(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"2018-03-01 10:00:00.000001", "2018-03-01T10:00:00.000001Z"},
		{"2018-03-01 10:00:00", "2018-03-01T10:00:00Z"},
		{"2018-03-01T10:00:00Z", "2018-03-01T10:00:00Z"},
		{"2018-03-01 10:00", "2018-03-01T10:00:00Z"},
		{"2018-03-01 10:00:00.1", "2018-03-01T10:00:00.1Z"},
		{"2018-03-01 10:00:00,123", "2018-03-01T10:00:00.123Z"},
		{"2018-03-01 10:00:00.9999999999", "2018-03-01T10:00:00.999999Z"},
		{"2018-03-01 10:00:00.5+00:00", "2018-03-01T10:00:00.5Z"},
		{"2018-03-01 10:00:00+02:00", "2018-03-01T08:00:00Z"},
		{"2018-03-01 10:00:00-0530", "2018-03-01T15:30:00Z"},
		{"2018-03-01 10:00:00+02", "2018-03-01T08:00:00Z"},
		{"1969-12-31 23:59:59.999999", "1969-12-31T23:59:59.999999Z"},
		{"0001-01-01 00:00:00", "0001-01-01T00:00:00Z"},
		{"9999-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z"},
		{"2106-02-07 06:28:16", "2106-02-07T06:28:16Z"},
		{"2020-02-29 00:00:00", "2020-02-29T00:00:00Z"},

		{"", ""}, {"2018-03-01", ""}, {"2018-03-01 10", ""}, {"2019-02-29 00:00:00", ""},
		{"2018-13-01 00:00:00", ""}, {"2018-00-01 00:00:00", ""}, {"2018-01-00 00:00:00", ""},
		{"2018-01-01 24:00:00", ""}, {"2018-01-01 00:60:00", ""}, {"2018-01-01 00:00:60", ""},
		{"2018-01-01 00:00:00.", ""}, {"2018-01-01 00:00:00 ", ""}, {" 2018-01-01 00:00:00", ""},
		{"2018-01-01 00:00:00Zx", ""}, {"2018-01-01 00:00:00+", ""}, {"2018-01-01 00:00:00+1", ""},
		{"2018-01-01 00:00:00+02:", ""}, {"2018-01-01 00:00:00+24:00", ""}, {"2018-01-01 00:00:00+00:60", ""},
		{"0000-01-01 00:00:00", ""}, {"0001-01-01 00:00:00+00:01", ""}, {"9999-12-31 23:59:59-00:01", ""},
		{"20180-1-01 00:00:00", ""}, {"+018-01-01 00:00:00", ""}, {"1519898400", ""}, {"2018-01-01 00:0٠:00", ""},
	}
	for _, tt := range tests {
		got, err := django.ParseTime(tt.in)
		if tt.want == "" {
			if err == nil || !got.IsZero() {
				t.Errorf("%q: got %v, %v, want an error", tt.in, got, err)
			}
			continue
		}
		if err != nil || got.Format(time.RFC3339Nano) != tt.want || got.Location() != time.UTC {
			t.Errorf("%q: got %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2018-03-01 10:00:00.000001", "0001-01-01T00:00Z", "9999-12-31 23:59:59.9999999-23:59", "2018-03-01 10:00:00,5+0200"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := django.ParseTime(s)
		if err != nil {
			return
		}
		if got.Year() < 1 || got.Year() > 9999 || got.Nanosecond()%1000 != 0 {
			t.Errorf("%q: %v", s, got)
		}
		for _, layout := range []string{"2006-01-02 15:04:05.000000", time.RFC3339Nano} {
			if again, err := django.ParseTime(got.Format(layout)); err != nil || !again.Equal(got) {
				t.Errorf("%q: %v, again %v, %v", s, got, again, err)
			}
		}
		// What Go takes too is the same time.
		if other, err := time.Parse(time.RFC3339Nano, s); err == nil && !other.Truncate(time.Microsecond).Equal(got) {
			t.Errorf("%q: %v, want %v", s, got, other)
		}
	})
}

func TestID(t *testing.T) {
	t.Parallel()
	day := time.Date(2018, 3, 1, 10, 0, 0, 1000, time.UTC)
	tests := []struct {
		table   string
		id      int64
		created time.Time
		want    string // pinned: an import of yesterday must find its rows today
	}{
		{"auth_user", 1, day, "0161e101-1500-735c-9899-a2369639efde"},
		{"auth_user", 2, day, "0161e101-1500-7a3b-8530-dd516b195d26"},
		{"notes_note", 1, day, "0161e101-1500-7339-9159-757f26fc0105"},
		{"notes_note", 1, day.Add(time.Microsecond), "0161e101-1500-70db-97ce-f4997efabcf9"},
		{"notes_note", 1, time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), "00000000-0000-7e18-b7e8-2184e586c17c"},
		{"notes_note", 1, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), "00000000-0000-7167-921f-03853a341f06"},
		{"notes_note", 1, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), "e677ccf9-8000-729b-a1f7-1a711d5283e5"},
		{"notes_note", 1, time.Date(99999, 12, 31, 0, 0, 0, 0, time.UTC), "ffffffff-ffff-7e5b-9737-c930caad1778"},
	}
	seen := map[uuid.UUID]bool{}
	for _, tt := range tests {
		id := django.ID(tt.table, tt.id, tt.created)
		if id.String() != tt.want {
			t.Errorf("%s %d %v: %v, want %v", tt.table, tt.id, tt.created, id, tt.want)
		}
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 || seen[id] {
			t.Errorf("%v: version %v, variant %v, seen %v", id, id.Version(), id.Variant(), seen[id])
		}
		seen[id] = true
		if other := django.ID(tt.table, tt.id, tt.created.In(time.FixedZone("", 7200))); other != id {
			t.Errorf("%v in another zone: %v", id, other)
		}
	}
}
