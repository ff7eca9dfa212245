package auth_test

import (
	"testing"

	"github.com/trellis-go/trellis/auth"
	"github.com/trellis-go/trellis/kit/server/servertest"
)

func TestContract(t *testing.T) { servertest.Contract(t, "auth", auth.Routes(nil)) }

func TestEventContract(t *testing.T) { servertest.EventContract(t, "auth", auth.Events, nil) }
