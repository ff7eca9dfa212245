// Command webapp runs the webapp.
package main

import (
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/webapp/app"
)

func main() { server.Main(app.Webapp) }
