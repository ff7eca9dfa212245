package django

import (
	"context"
	"io"
	"time"
)

// OpenWait is Open with another wait for locks.
func OpenWait(ctx context.Context, path string, wait time.Duration, tables ...Table) (*File, error) {
	return open(ctx, path, wait, tables)
}

// NewTerminalReport is NewReport as if w were a terminal.
func NewTerminalReport(w io.Writer, what string, total int, now func() time.Time) *Report {
	return newReport(w, what, total, true, now)
}
