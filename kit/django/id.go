package django

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ID derives the UUIDv7 that a row has from now on. It depends on nothing but
// the table, the row's id and when it was created, so every service that reads
// the file, and every run, gives a row the same one. It sorts by creation, to
// the millisecond; whatever was created before 1970 sorts as of then.
//
// It must never change: imported rows would come a second time.
func ID(table string, id int64, created time.Time) uuid.UUID {
	sum := sha256.Sum256(fmt.Appendf(nil, "django row %q %d %d.%09d",
		table, id, created.Unix(), created.Nanosecond()))
	u := uuid.UUID(sum[:16])

	milli := min(max(created.UnixMilli(), 0), 1<<48-1)
	binary.BigEndian.PutUint32(u[0:], uint32(milli>>16))
	binary.BigEndian.PutUint16(u[4:], uint16(milli))
	u[6] = 7<<4 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return u
}
