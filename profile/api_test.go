package profile_test

import (
	"testing"

	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/profile"
)

func TestContract(t *testing.T) { servertest.Contract(t, "profile", profile.Routes(nil)) }

func TestEventContract(t *testing.T) {
	servertest.EventContract(t, "profile", profile.Events, new(profile.Service).Handlers())
}
