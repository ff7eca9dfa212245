package mongo

import "time"

// Age makes another's lease, as this process knows it, that much older.
func Age(d *DB, by time.Duration) {
	d.outbox.other.Lock()
	defer d.outbox.other.Unlock()
	d.outbox.other.since = d.outbox.other.since.Add(-by)
}
