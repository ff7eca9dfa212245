package token

// Room makes room for n sessions only.
func (r *Revocations) Room(n int) { r.room = n }
