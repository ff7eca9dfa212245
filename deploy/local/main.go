// Command local runs the whole system in one process, on embedded stores.
package main

import (
	auth "github.com/trellis-go/trellis/auth/app"
	gateway "github.com/trellis-go/trellis/gateway/app"
	"github.com/trellis-go/trellis/kit/server"
	notes "github.com/trellis-go/trellis/notes/app"
	notify "github.com/trellis-go/trellis/notify/app"
	profile "github.com/trellis-go/trellis/profile/app"
	webapp "github.com/trellis-go/trellis/webapp/app"
)

// They stop in the opposite order: the gateway ends its streams before the
// webapp, which lets them through, has to.
func main() {
	server.Main(webapp.Webapp, auth.Auth, notes.Notes, profile.Profile, notify.Notify, gateway.Gateway)
}
