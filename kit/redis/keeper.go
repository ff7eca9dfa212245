package redis

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/kit/transport"
)

var (
	//go:embed claim.lua
	claimSource string
	//go:embed finish.lua
	finishSource string
	//go:embed hold.lua
	holdSource string

	claim  = redis.NewScript(claimSource)
	finish = redis.NewScript(finishSource)
	hold   = redis.NewScript(holdSource)
)

// Keeper keeps answers for Idempotency-Key in this Redis.
func (s *Store) Keeper() transport.Keeper { return keeper{s} }

type keeper struct{ *Store }

func (k keeper) keys(key transport.Hash) []string {
	return []string{k.Prefix + "idempotency:" + string(key[:])}
}

func (k keeper) Begin(ctx context.Context, key transport.Hash, id uuid.UUID, fingerprint transport.Hash) (kept transport.Kept, err error) {
	answer, err := claim.Run(ctx, k, k.keys(key), id[:], fingerprint[:],
		transport.ClaimedFor.Milliseconds(), transport.KeptFor.Milliseconds()).Slice()
	if err != nil {
		return kept, err
	}
	if len(answer) < 3 {
		return kept, errors.New("redis: an answer of another form")
	}
	known, _ := answer[1].(string)
	print, _ := answer[2].(string)
	copy(kept.ID[:], known)
	copy(kept.Fingerprint[:], print)
	switch state, _ := answer[0].(string); state {
	case "claimed":
		kept.State = transport.Claimed
	case "finished":
		kept.State = transport.Finished
		sealed, _ := answer[3].(string)
		kept.Sealed = []byte(sealed)
	default:
		kept.State = transport.Running
	}
	return kept, nil
}

func (k keeper) Finish(ctx context.Context, key transport.Hash, sealed []byte) error {
	return finish.Run(ctx, k, k.keys(key), sealed).Err()
}

func (k keeper) Hold(ctx context.Context, key transport.Hash, d time.Duration) error {
	return hold.Run(ctx, k, k.keys(key), d.Milliseconds()).Err()
}
