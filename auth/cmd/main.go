// Command auth runs the auth service.
package main

import (
	"github.com/trellis-go/trellis/auth/app"
	"github.com/trellis-go/trellis/kit/server"
)

func main() { server.Main(app.Auth) }
