// Package redis opens a Redis: for rate limits that hold across instances, and
// as a service's store, with what the kit keeps beside the service's own.
package redis

import (
	"cmp"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Open returns a client of the Redis that a URL names, for short questions: it
// tries once, and waits a tenth of a second for an answer. A URL's parameters
// (?pool_size=40) say otherwise. It connects when it is first used: a Redis
// that is away is no error here.
func Open(url string) (*redis.Client, error) { return open(url, 100*time.Millisecond, 20) }

// OpenPatient returns a client like Open's for questions that take their time:
// it waits some seconds for an answer, and longer for that of a blocking command.
func OpenPatient(url string) (*redis.Client, error) { return open(url, 5*time.Second, 100) }

func open(url string, patience time.Duration, conns int) (*redis.Client, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("redis: the URL is not of the form redis://USER:PASSWORD@HOST:PORT/NUMBER, rediss://… or unix://…") // err would show the password
	}
	o.DialTimeout = cmp.Or(o.DialTimeout, time.Second)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, patience)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, patience)
	o.MaxRetries = cmp.Or(o.MaxRetries, -1)
	o.DialerRetries = cmp.Or(o.DialerRetries, 1)
	o.PoolSize = cmp.Or(o.PoolSize, conns)
	o.MaxActiveConns = cmp.Or(o.MaxActiveConns, o.PoolSize)
	o.PipelinePoolSize = -1 // pipelines have no pool beside that one
	o.ContextTimeoutEnabled = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // Redis Enterprise's
	logging.Disable()                                                                              // it is the process's, in a form of its own; errors are returned too
	return redis.NewClient(o), nil
}
