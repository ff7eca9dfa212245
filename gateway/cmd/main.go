// Command gateway runs the gateway.
package main

import (
	"github.com/trellis-go/trellis/gateway/app"
	"github.com/trellis-go/trellis/kit/server"
)

func main() { server.Main(app.Gateway) }
