package redis

import (
	"embed"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var files embed.FS

// script puts a script together from files.
func script(names ...string) *goredis.Script {
	var b strings.Builder
	for _, name := range append([]string{"store"}, names...) {
		text, err := files.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err) // it is not embedded
		}
		b.Write(text)
	}
	return goredis.NewScript(b.String())
}

var (
	publish   = script("user", "inbox", "deliveries", "publish")
	update    = script("user", "inbox", "update")
	read      = script("user", "inbox", "read")
	remove    = script("user", "inbox", "delete")
	signal    = script("user", "signal")
	list      = script("list")
	enqueue   = script("deliveries", "enqueue")
	take      = script("take")
	settle    = script("deliveries", "settle")
	delivered = script("deliveries", "delivered")
	purge     = script("purge")
	setTimer  = script("timers", "settimer")
	timers    = script("listtimers")
	ring      = script("ring")
	rung      = script("timers", "rung")
	ticket    = script("ticket")
	present   = script("present")
	subscribe = script("subscriptions", "subscribe")
	leave     = script("subscriptions", "unsubscribe")
	erase     = script("deliveries", "timers", "subscriptions", "erase")
)
