package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/fault"
)

func TestOf(t *testing.T) {
	taken := fault.New(fault.Conflict, "email_taken", "This email has an account.")
	for _, tt := range []struct {
		name string
		err  error
		kind fault.Kind
		code string
	}{
		{"classified", taken, fault.Conflict, "email_taken"},
		{"wrapped", fmt.Errorf("signup: %w", taken), fault.Conflict, "email_taken"},
		{"caller gone", fmt.Errorf("query: %w", context.Canceled), fault.Canceled, "canceled"},
		{"too late", context.DeadlineExceeded, fault.Timeout, "timeout"},
		{"unclassified", errors.New("pq: password=hunter2"), fault.Internal, "internal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := fault.Of(tt.err)
			if got.Kind != tt.kind || got.Code != tt.code {
				t.Errorf("Of = %d %s, want %d %s", got.Kind, got.Code, tt.kind, tt.code)
			}
			if tt.kind == fault.Internal && got.Message == tt.err.Error() {
				t.Errorf("an unclassified error is shown: %q", got.Message)
			}
			if !errors.Is(got, tt.err) && !errors.Is(tt.err, got) {
				t.Errorf("the cause is lost: %v", got)
			}
		})
	}
}

func TestRefinedIsTheSame(t *testing.T) {
	base := fault.New(fault.Unavailable, "no_instance", "Not now.")
	refined := base.After(time.Second).Because(errors.New("dial"))
	if !errors.Is(refined, base) {
		t.Error("a refined error is not its base")
	}
	if base.RetryAfter != 0 || base.Cause != nil {
		t.Error("refining changed the base")
	}
	if errors.Is(fault.New(fault.Unavailable, "open", ""), base) {
		t.Error("another code is the same error")
	}
}
