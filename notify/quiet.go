package notify

import "time"

// QuietHours are when a user wants no mails and pushes: from one time of their
// day to another, which may be on the next.
type QuietHours struct {
	Enabled  bool
	From, To string // "22:00"
}

const clock = "15:04"

// End returns when the quiet hours that now is in are over. It returns false
// when now is in none. Where clocks are put back the answer may itself be in
// quiet hours: ask again then.
func (q QuietHours) End(now time.Time, zone *time.Location) (time.Time, bool) {
	from, err1 := time.Parse(clock, q.From)
	to, err2 := time.Parse(clock, q.To)
	if !q.Enabled || err1 != nil || err2 != nil || from.Equal(to) {
		return time.Time{}, false
	}
	local := now.In(zone)
	t := time.Date(0, 1, 1, local.Hour(), local.Minute(), 0, 0, time.UTC)
	tomorrow := 0
	switch after, before := !t.Before(from), t.Before(to); {
	case from.Before(to) && !(after && before), to.Before(from) && !(after || before):
		return time.Time{}, false
	case to.Before(from) && after:
		tomorrow = 1
	}
	end := time.Date(local.Year(), local.Month(), local.Day()+tomorrow, to.Hour(), to.Minute(), 0, 0, zone)
	for !end.After(now) { // the hour that clocks leave out, or have twice
		end = end.Add(time.Hour)
	}
	return end, true
}
