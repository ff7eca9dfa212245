package notify_test

import (
	"testing"
	"time"

	"github.com/trellis-go/trellis/notify"
)

func TestQuietHours(t *testing.T) {
	night := notify.QuietHours{Enabled: true, From: "22:00", To: "07:00"}
	for _, tt := range []struct {
		name  string
		hours notify.QuietHours
		zone  string
		now   string // UTC
		end   string // "" for not quiet
	}{
		{"before midnight", night, "UTC", "2031-05-01T23:10:00Z", "2031-05-02T07:00:00Z"},
		{"after midnight", night, "UTC", "2031-05-01T00:10:00Z", "2031-05-01T07:00:00Z"},
		{"when they begin", night, "UTC", "2031-05-01T22:00:00Z", "2031-05-02T07:00:00Z"},
		{"a second before", night, "UTC", "2031-05-01T21:59:59Z", ""},
		{"the last second", night, "UTC", "2031-05-01T06:59:59Z", "2031-05-01T07:00:00Z"},
		{"when they end", night, "UTC", "2031-05-01T07:00:00Z", ""},
		{"noon", night, "UTC", "2031-05-01T12:00:00Z", ""},
		{"the last day of a month", night, "UTC", "2031-12-31T22:30:00Z", "2032-01-01T07:00:00Z"},
		{"Warsaw in summer", night, "Europe/Warsaw", "2031-05-01T20:00:00Z", "2031-05-02T05:00:00Z"},
		{"Warsaw in winter", night, "Europe/Warsaw", "2031-01-01T20:59:00Z", ""},
		{"where it is tomorrow already", night, "Pacific/Auckland", "2031-05-01T11:00:00Z", "2031-05-01T19:00:00Z"},
		{"half an hour off", night, "Asia/Kolkata", "2031-05-01T16:30:00Z", "2031-05-02T01:30:00Z"},
		{"the night that is an hour shorter", night, "Europe/Warsaw", "2031-03-29T22:00:00Z", "2031-03-30T05:00:00Z"},
		{"the night that is an hour longer", night, "Europe/Warsaw", "2031-10-25T21:00:00Z", "2031-10-26T06:00:00Z"},
		{"a siesta", notify.QuietHours{Enabled: true, From: "13:00", To: "15:30"}, "UTC", "2031-05-01T15:29:00Z", "2031-05-01T15:30:00Z"},
		{"after a siesta", notify.QuietHours{Enabled: true, From: "13:00", To: "15:30"}, "UTC", "2031-05-01T15:30:00Z", ""},
		{"till midnight", notify.QuietHours{Enabled: true, From: "20:00", To: "00:00"}, "UTC", "2031-05-01T23:59:00Z", "2031-05-02T00:00:00Z"},
		{"from midnight", notify.QuietHours{Enabled: true, From: "00:00", To: "06:00"}, "UTC", "2031-05-01T00:00:00Z", "2031-05-01T06:00:00Z"},
		{"off", notify.QuietHours{From: "22:00", To: "07:00"}, "UTC", "2031-05-01T23:00:00Z", ""},
		{"of no length", notify.QuietHours{Enabled: true, From: "07:00", To: "07:00"}, "UTC", "2031-05-01T07:00:00Z", ""},
		{"no time", notify.QuietHours{Enabled: true, From: "25:00", To: "07:00"}, "UTC", "2031-05-01T06:00:00Z", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := moment(t, tt.now)
			end, quiet := tt.hours.End(now, notify.Settings{TimeZone: tt.zone}.Zone())
			if quiet != (tt.end != "") || quiet && !end.Equal(moment(t, tt.end)) {
				t.Errorf("got %v, %v, want %q", end.UTC(), quiet, tt.end)
			}
		})
	}
}

// In each minute of two years, in zones that move their clocks, quiet hours end
// where the clock says that they do, and nobody waits for more than a day.
func TestQuietHoursEnd(t *testing.T) {
	for _, zone := range []string{"Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago"} {
		for _, hours := range []notify.QuietHours{{true, "22:00", "07:00"}, {true, "23:30", "02:30"}, {true, "01:15", "02:15"}, {true, "00:00", "00:30"}} {
			zone := notify.Settings{TimeZone: zone}.Zone()
			step := 37 * time.Minute
			if testing.Short() {
				step = 61 * time.Minute
			}
			for now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); now.Year() < 2028; now = now.Add(step) {
				at, turns := now, 0
				for {
					end, quiet := hours.End(at, zone)
					if !quiet {
						break
					}
					if turns++; !end.After(at) || turns > 3 {
						t.Fatalf("%s, %+v: at %s it ends at %s", zone, hours, at, end)
					}
					at = end
				}
				if waited := at.Sub(now); waited > 11*time.Hour {
					t.Fatalf("%s, %+v: from %s on it is quiet for %s", zone, hours, now, waited)
				}
			}
		}
	}
}

func TestZone(t *testing.T) {
	for _, name := range []string{"", "Local", "Mars/Olympus", "../etc/passwd", "UTC"} {
		if got := (notify.Settings{TimeZone: name}).Zone(); got.String() != "UTC" {
			t.Errorf("%q is %s", name, got)
		}
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
