package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/server/servertest"
)

type role string

// payload has of each sort of member one.
type payload struct {
	Note    uuid.UUID   `json:"note"`
	Readers []uuid.UUID `json:"readers"`
	Role    role        `json:"role,omitempty"`
	Due     *time.Time  `json:"due"`
	Place   place       `json:"place"`
}

type place struct {
	City string `json:"city"`
}

var (
	noteShared = event.Define[payload]("note.shared", 2, "A note was shared.")
	userErased = event.Define[struct{}]("user.erased", 1, "A user was erased.")
)

func TestEventContract(t *testing.T) {
	servertest.EventContract(t, "notes", []event.Kind{noteShared, userErased},
		[]event.Handler{event.On("auth", userErased, nil), event.On("friends", noteShared, nil)})
}

func TestAsyncAPIRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tells   []event.Kind
		handles []event.Handler
		want    string
	}{
		"told of twice": {[]event.Kind{userErased, userErased}, nil, "two rows of user.erased.v1"},
		"handled twice": {nil, []event.Handler{event.On("auth", userErased, nil), event.On("auth", userErased, nil)}, "two rows of user.erased.v1"},
		"no struct":     {[]event.Kind{event.Define[[]int]("note.counted", 1, "")}, nil, "no struct"},
	} {
		if _, err := event.AsyncAPI("notes", tt.tells, tt.handles); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, err := event.AsyncAPI("notes", nil, nil); err != nil || !json.Valid(text) {
		t.Errorf("of none: %s, %v", text, err)
	}
}

func TestAbout(t *testing.T) {
	t.Parallel()
	subject, note := uuid.New(), uuid.New()
	m, err := noteShared.About(t.Context(), subject, payload{Note: note, Readers: []uuid.UUID{}})
	if err != nil {
		t.Fatal(err)
	}
	if m.SpecVersion != "1.0" || m.Type != "note.shared.v2" || m.Subject != subject || m.ID.Version() != 7 || m.Trace != "" ||
		time.Since(m.Time).Abs() > time.Minute || m.Time.Location() != time.UTC || m.Time.Nanosecond()%1000 != 0 {
		t.Errorf("the event is %+v", m)
	}
	if want := `{"note":"` + note.String() + `","readers":[],"due":null,"place":{"city":""}}`; string(m.Data) != want {
		t.Errorf("its data are %s, not %s", m.Data, want)
	}
	if _, err := event.Define[func()]("x.y", 1, "").About(t.Context(), subject, nil); err == nil {
		t.Error("what is no JSON is an event")
	}
}
