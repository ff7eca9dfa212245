package redis

import "time"

// Impatient makes Live ask sooner whether anybody is there.
func Impatient(s *Store) { s.silence = 100 * time.Millisecond }
