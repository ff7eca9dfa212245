// Command notify runs the notify service.
package main

import (
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/notify/app"
)

func main() { server.Main(app.Notify) }
