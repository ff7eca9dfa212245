// Command profile runs the profile service.
package main

import (
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/profile/app"
)

func main() { server.Main(app.Profile) }
