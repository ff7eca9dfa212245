// Package redis carries events over Redis Streams: each source has a stream,
// each group is a consumer group of the streams that it reads and of one of
// its own, in which replayed events are. Scripts decide, so that each step is
// taken as a whole; they name keys that are not among their arguments, which a
// Redis Cluster does not allow.
package redis

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	goredis "github.com/redis/go-redis/v9"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/redis"
)

var (
	//go:embed publish.lua
	publishSource string
	//go:embed receive.lua
	receiveSource string
	//go:embed hold.lua
	holdSource string
	//go:embed done.lua
	doneSource string
	//go:embed leave.lua
	leaveSource string
	//go:embed replay.lua
	replaySource string
	//go:embed trim.lua
	trimSource string

	publish = goredis.NewScript(publishSource)
	receive = goredis.NewScript(receiveSource)
	hold    = goredis.NewScript(holdSource)
	done    = goredis.NewScript(doneSource)
	leave   = goredis.NewScript(leaveSource)
	replay  = goredis.NewScript(replaySource)
	trim    = goredis.NewScript(trimSource)
)

// The keys; behind each of them is the name of a source or of a group.
const (
	prefix   = "trellis:events:"
	stream   = prefix + "stream:"
	position = prefix + "position:" // a hash: the last position and its entry's id
	replayed = prefix + "replayed:" // a stream
	parked   = prefix + "parked:"   // a hash: message id to parcel
	owners   = prefix + "owners:"   // a hash: stream and subject to how many events are in whose hand
	alive    = prefix + "alive:"    // a sorted set: consumer to when it was heard of
	inbox    = prefix + "inbox:"    // a list; behind the group is the consumer
	last     = prefix + "last:"     // likewise
)

const (
	patience  = time.Second     // of a Receive
	takeTime  = 5 * time.Second // that it may take when there is something
	atOnce    = 1000            // events that a Receive returns at most
	keepAlone = 100_000         // events of a source that nobody receives of
)

type bus struct {
	client *goredis.Client
	turn   atomic.Uint64 // each Receive begins with another stream

	mu      sync.Mutex
	reached map[string]string // by group and consumer, the number of the last answer that reached this consumer
}

// Open returns the bus on the Redis that a URL names. It connects when it is
// first used.
func Open(url string) (event.Bus, error) {
	client, err := redis.OpenPatient(url)
	if err != nil {
		return nil, err
	}
	return &bus{client: client, reached: map[string]string{}}, nil
}

func (b *bus) Ping(ctx context.Context) error { return b.client.Ping(ctx).Err() }
func (b *bus) Close() error                   { return b.client.Close() }

func (b *bus) Publish(ctx context.Context, source string, batch event.Batch) error {
	args := make([]any, 0, 1+2*len(batch.Messages))
	args = append(args, batch.After)
	for i := range batch.Messages {
		text, err := json.Marshal(&batch.Messages[i])
		if err != nil {
			return err
		}
		args = append(args, batch.Messages[i].Subject.String(), text)
	}
	has, err := publish.Run(ctx, b.client, []string{stream + source, position + source}, args...).Int64()
	if err == nil && has >= 0 {
		err = &event.Lost{Has: has}
	}
	return err
}

func (b *bus) Trim(ctx context.Context, source string) error {
	return trim.Run(ctx, b.client, []string{stream + source}, keepAlone).Err()
}

// streams are where a group's events are.
func streams(g event.Group) []string {
	keys := make([]string, 0, len(g.Sources)+1)
	for _, source := range g.Sources {
		keys = append(keys, stream+source)
	}
	return append(keys, replayed+g.Name)
}

// Receive waits by reading entries that it does not take, which may be given
// up at any time; a script takes them.
func (b *bus) Receive(ctx context.Context, g event.Group, max int) ([]event.Delivery, error) {
	until := time.Now().Add(patience)
	for {
		given, behind, err := b.take(ctx, g, max)
		left := time.Until(until)
		if err != nil || len(given) > 0 || left <= 0 {
			return given, err
		}
		if err := b.await(ctx, behind, left); err != nil {
			return nil, err
		}
	}
}

// take returns what there is for a consumer, or behind which entries there
// would be more: streams, and as many ids. It does not end with ctx, lest an
// answer be lost.
func (b *bus) take(ctx context.Context, g event.Group, max int) (given []event.Delivery, behind []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeTime)
	defer cancel()
	inboxes, lasts := inbox+g.Name+":", last+g.Name+":"
	keys := streams(g)
	answer, err := receive.Run(ctx, b.client, append([]string{alive + g.Name, owners + g.Name, inboxes + g.Consumer, lasts + g.Consumer}, keys...),
		g.Name, g.Consumer, g.Claim.Milliseconds(), min(max, atOnce), b.turn.Add(1), inboxes, lasts, b.answered(g)).Slice()
	if err != nil {
		return nil, nil, err
	}
	if len(answer) != 2 {
		return nil, nil, errForm
	}
	events, _ := answer[0].([]any)
	for _, e := range events {
		d, err := delivery(e)
		if err != nil {
			return nil, nil, err
		}
		given = append(given, d)
	}
	switch rest := answer[1].(type) {
	case string:
		b.note(g, rest)
		return given, nil, nil
	case []any:
		for _, id := range rest {
			text, _ := id.(string)
			keys = append(keys, text)
		}
		return nil, keys, nil
	}
	return nil, nil, errForm
}

// answered is the number of the last answer that reached a consumer.
func (b *bus) answered(g event.Group) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return cmp.Or(b.reached[g.Name+":"+g.Consumer], "0")
}

func (b *bus) note(g event.Group, number string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reached[g.Name+":"+g.Consumer] = number
}

var errForm = errors.New("redis: an answer of another form")

// delivery reads an event as the script gives it. What is no event is of an
// empty type, which nobody handles.
func delivery(answer any) (d event.Delivery, err error) {
	list, _ := answer.([]any)
	if len(list) != 4 {
		return d, errForm
	}
	key, _ := list[0].(string)
	id, _ := list[1].(string)
	text, _ := list[2].(string)
	attempts, _ := list[3].(int64)
	d = event.Delivery{Ref: key + " " + id, Attempts: int(attempts)}
	if json.Unmarshal([]byte(text), &d.Message) != nil {
		d.Message = event.Message{}
	}
	return d, nil
}

// await returns when there is a new entry, after a while, or when ctx ends.
func (b *bus) await(ctx context.Context, behind []string, atMost time.Duration) error {
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), atMost+2*patience)
		defer cancel()
		err := b.client.XRead(ctx, &goredis.XReadArgs{Streams: behind, Count: 1, Block: max(atMost, time.Millisecond)}).Err()
		if errors.Is(err, goredis.Nil) {
			err = nil
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// entry is the stream and the id that a Delivery.Ref names.
func entry(d event.Delivery) (stream, id string) {
	i := strings.LastIndexByte(d.Ref, ' ')
	return d.Ref[:max(i, 0)], d.Ref[i+1:]
}

func (b *bus) Hold(ctx context.Context, g event.Group) error {
	return ignoreNil(hold.Run(ctx, b.client, []string{alive + g.Name}, g.Consumer).Err())
}

func (b *bus) Done(ctx context.Context, g event.Group, list []event.Delivery) error {
	args := []any{g.Name}
	for _, d := range list {
		key, id := entry(d)
		args = append(args, key, id, d.Subject.String(), "", "")
	}
	return b.settle(ctx, g, args)
}

func (b *bus) settle(ctx context.Context, g event.Group, args []any) error {
	return ignoreNil(done.Run(ctx, b.client, []string{owners + g.Name, replayed + g.Name, parked + g.Name}, args...).Err())
}

func (b *bus) Leave(ctx context.Context, g event.Group) error {
	b.mu.Lock()
	delete(b.reached, g.Name+":"+g.Consumer)
	b.mu.Unlock()
	return ignoreNil(leave.Run(ctx, b.client, append([]string{alive + g.Name}, streams(g)...), g.Name, g.Consumer).Err())
}

// ignoreNil lets pass that a script answers nothing.
func ignoreNil(err error) error {
	if errors.Is(err, goredis.Nil) {
		return nil
	}
	return err
}
