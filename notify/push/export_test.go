package push

// Public and RetryAfter are tested on their own.
var (
	Public     = public
	RetryAfter = retryAfter
)
