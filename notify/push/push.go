// Package push sends messages to browsers (Web Push: RFC 8030, 8291, 8292).
package push

import (
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/SherClockHolmes/webpush-go"
	"github.com/go-json-experiment/json"
	"github.com/trellis-go/trellis/notify"
)

// Pusher signs messages as one sender and posts them to the push services
// that browsers name.
type Pusher struct {
	public, private string
	contact         string
	client          *http.Client
}

var _ notify.Pusher = (*Pusher)(nil)

// Options say who sends, and where to.
type Options struct {
	Contact string       // a push service's, with the sender: an email address, or an https URL
	Client  *http.Client // for tests; nil for one that reaches public addresses only
}

const (
	life       = 24 * time.Hour   // that a push service keeps a message for a browser that is off
	pushTime   = 15 * time.Second // that a push service has
	maxPayload = 3 << 10          // bytes
)

// New returns a pusher with the key that follows from 32 secret bytes.
func New(secret []byte, o Options) (*Pusher, error) {
	client := publicClient()
	if o.Client != nil {
		client = *o.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	key, err := keyOf(secret)
	if err != nil {
		return nil, err
	}
	text := base64.RawURLEncoding.EncodeToString
	return &Pusher{text(key.PublicKey().Bytes()), text(key.Bytes()), o.Contact, &client}, nil
}

// keyOf makes a P-256 key of a secret: of itself, or in the rare case that it
// is none, of its hash.
func keyOf(secret []byte) (*ecdh.PrivateKey, error) {
	if len(secret) != 32 {
		return nil, errors.New("push: the secret is not 32 bytes")
	}
	key, err := ecdh.P256().NewPrivateKey(secret)
	for err != nil {
		next := sha256.Sum256(secret)
		secret = next[:]
		key, err = ecdh.P256().NewPrivateKey(secret)
	}
	return key, nil
}

// PublicKey is the applicationServerKey with which browsers subscribe.
func (p *Pusher) PublicKey() string { return p.public }

// urgencies are how much of a phone's battery a category is worth (RFC 8030, 5.3).
var urgencies = map[notify.Category]webpush.Urgency{
	notify.Security: webpush.UrgencyHigh,
	notify.Reminder: webpush.UrgencyHigh,
	notify.System:   webpush.UrgencyLow,
}

// Push sends a message to a browser. While the browser is off it takes the
// place of an older one with the same id.
func (p *Pusher) Push(ctx context.Context, to notify.Subscription, m notify.Message) error {
	payload, err := payloadOf(m)
	if err != nil {
		return err
	}
	urgency, ok := urgencies[m.Category]
	if !ok {
		urgency = webpush.UrgencyNormal
	}
	ctx, cancel := context.WithTimeout(ctx, pushTime)
	defer cancel()
	res, err := webpush.SendNotificationWithContext(ctx, payload,
		&webpush.Subscription{Endpoint: to.Endpoint, Keys: webpush.Keys{P256dh: to.P256DH, Auth: to.Auth}},
		&webpush.Options{
			HTTPClient: p.client, Subscriber: p.contact, VAPIDPublicKey: p.public, VAPIDPrivateKey: p.private,
			TTL: int(life.Seconds()), Urgency: urgency, Topic: base64.RawURLEncoding.EncodeToString(m.ID[:]),
		})
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the endpoint: who knows it may push (RFC 8030, 8.3)
	}
	if errors.Is(err, errNotPublic) {
		return &notify.Trouble{Reason: "The browser's push service has no public address.", Final: true, Cause: err}
	} else if err != nil {
		return &notify.Trouble{Reason: "The browser's push service cannot be reached.", Cause: err}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection serves again
	return answer(res)
}

// payloadOf is a message as the webapp's service worker gets it; a long body is cut.
func payloadOf(m notify.Message) ([]byte, error) {
	for {
		text, err := json.Marshal(m)
		if err != nil || len(text) <= maxPayload {
			return text, err
		}
		runes := []rune(m.Body)
		if len(runes) == 0 {
			return nil, &notify.Trouble{Reason: "It is too long for a push.", Final: true}
		}
		m.Body = string(runes[:len(runes)*3/4]) + "…"
		if len(runes) <= 4 {
			m.Body = ""
		}
	}
}

// answer is what a push service's answer means (RFC 8030, 5 and 7.3).
func answer(res *http.Response) error {
	cause := fmt.Errorf("push service: %s", res.Status)
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusNotFound, code == http.StatusGone:
		return notify.ErrUnsubscribed
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return &notify.Trouble{Reason: fmt.Sprintf("The browser's push service does not take it now (%d).", code), After: retryAfter(res.Header.Get("Retry-After"), time.Now()), Cause: cause}
	default:
		return &notify.Trouble{Reason: fmt.Sprintf("The browser's push service refused it (%d).", code), Final: true, Cause: cause}
	}
}

// maxRetryAfter is the longest that a push service is believed to be busy.
const maxRetryAfter = 6 * time.Hour

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if s, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(s)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
