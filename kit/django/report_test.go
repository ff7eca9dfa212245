package django_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/django"
)

func TestReport(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	r := django.NewReport(&b, "users", 4)
	r.Added()
	r.Notice(10, "bcrypt_bob", "shares an email with alice")
	r.Unchanged()
	r.Refused(12, "мария\x1b]0;\u009b\u202e\xff", errors.New("password is NULL\r\n\x1b[2J"))
	r.Refused(13, strings.Repeat("ж", 1000), errors.New(strings.Repeat("y", 10_000)))
	r.Finish()
	want := `  notice  user 10 "bcrypt_bob": shares an email with alice
  refused user 12 "мария\x1b]0;\u009b\u202e\xff": password is NULL\r\n\x1b[2J
  refused user 13 "` + strings.Repeat("ж", 30) + `"…: ` + strings.Repeat("y", 500) + `…
users: 4 read, 1 added, 1 unchanged, 2 refused, 1 notices
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestReportOfDamage(t *testing.T) {
	t.Parallel()
	cause := errors.New("malformed")
	tests := []struct {
		name  string
		total int
		lost  []*django.RowError
		want  []string
	}{
		{"one", 2, []*django.RowError{{ID: 7, Last: 7, Err: cause}}, []string{"lost    note 7: ", ", 1 lost to damage (dry run: nothing was written)\n"}},
		{"range", 2, []*django.RowError{{ID: 120, Last: 160, Err: cause}}, []string{"lost    any note 120 to 160: ", ", up to 41 lost"}},
		{"rest", 2, []*django.RowError{{ID: 120, Last: math.MaxInt64, Err: cause}}, []string{"lost    any note from 120 on: ", "an unknown number lost"}},
		{"unexplained", 5, nil, []string{"0 notices (dry", "the file counts 5 notes, not 1\n"}},
		{"total unknown", -1, nil, []string{"notes: 1 read, 1 to add"}},
	}
	for _, tt := range tests {
		var b strings.Builder
		r := django.NewReport(&b, "notes", tt.total)
		r.DryRun = true
		r.Added()
		for _, e := range tt.lost {
			r.Lost(e)
		}
		r.Finish()
		for _, want := range tt.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: got\n%s\nwant %q", tt.name, b.String(), want)
			}
		}
		if tt.name != "unexplained" && strings.Contains(b.String(), "the file counts") {
			t.Errorf("%s: %s", tt.name, b.String())
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	var b strings.Builder
	r := django.NewTerminalReport(&b, "users", 1000, func() time.Time { return now })
	for i := range 1000 {
		now = now.Add(time.Millisecond)
		if i == 600 {
			r.Refused(9, "bob", errors.New("no"))
			continue
		}
		r.Added()
	}
	r.Finish()
	if n := strings.Count(b.String(), "/s"); n < 3 || n > 5 {
		t.Errorf("shown %d times in a second", n)
	}
	// On the screen each line of progress has given way to what followed.
	var screen []string
	for line := range strings.Lines(b.String()) {
		seen := make([]rune, 0, 80)
		for _, part := range strings.Split(strings.TrimSuffix(line, "\n"), "\r") {
			over := []rune(part)
			seen = append(over, seen[min(len(over), len(seen)):]...)
		}
		screen = append(screen, strings.TrimRight(string(seen), " "))
	}
	want := []string{`  refused user 9 "bob": no`, "users: 1000 read, 999 added, 0 unchanged, 1 refused, 0 notices"}
	if fmt.Sprint(screen) != fmt.Sprint(want) {
		t.Errorf("screen %q", screen)
	}
	if !strings.Contains(b.String(), "users: 500 of 1000 (50%), 1000/s") {
		t.Errorf("got %q", b.String())
	}
}

func TestNoProgressInAFile(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := django.NewReport(file, "users", 100_000)
	for range 100_000 {
		r.Added()
	}
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Error(info.Size(), err)
	}
}
