package notes_test

import (
	"testing"

	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/notes"
)

func TestContract(t *testing.T) { servertest.Contract(t, "notes", notes.Routes(nil)) }

func TestEventContract(t *testing.T) { servertest.EventContract(t, "notes", notes.Events, nil) }
