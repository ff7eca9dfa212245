package discovery

import "sync/atomic"

// budget bounds how many requests are sent a second time: a tenth of the
// calls, and a few at once after a quiet time, so that retries do not make an
// outage worse (Twitter's Finagle, RetryBudget). The unit is a tenth of a retry.
type budget struct{ tenths atomic.Int64 }

const (
	budgetStart = 10 * 10  // ten retries before there were any calls
	budgetMost  = 100 * 10 // a hundred retries at once
)

// deposit is for each call.
func (b *budget) deposit() {
	if n := b.tenths.Load(); n < budgetMost {
		b.tenths.CompareAndSwap(n, n+1) // that one in a race goes uncounted does no harm
	}
}

// withdraw is for each retry: false when it may not be made.
func (b *budget) withdraw() bool {
	for {
		n := b.tenths.Load()
		if n < 10 {
			return false
		}
		if b.tenths.CompareAndSwap(n, n-10) {
			return true
		}
	}
}

func (b *budget) left() float64 { return float64(b.tenths.Load()) / 10 }
