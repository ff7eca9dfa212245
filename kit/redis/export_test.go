package redis

import "time"

// Patient makes a limiter wait for Redis however busy the machine is.
func Patient(l *Limiter) *Limiter {
	l.patience = time.Minute
	return l
}
