package notify_test

import (
	"testing"

	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/notify"
)

func TestContract(t *testing.T) { servertest.Contract(t, "notify", notify.Routes(nil, nil)) }

func TestEventContract(t *testing.T) {
	servertest.EventContract(t, "notify", nil, notify.Handlers(nil))
}
