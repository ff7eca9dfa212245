package notify

import (
	"crypto/ecdh"
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"

	"github.com/trellis-go/trellis/kit/fault"
)

var subscriptionID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// check tells what of a subscription no push service would take. Whether its
// endpoint is one that we may reach shows when we do.
func (r SubscribeRequest) check() error {
	var wrong []fault.Field
	breaks := func(pointer, code, detail string) {
		wrong = append(wrong, fault.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	if !subscriptionID.MatchString(r.ID) {
		wrong = append(wrong, fault.Field{Parameter: "id", Code: "malformed", Detail: "may have letters, digits, - and _ only"})
	}
	if u, err := url.Parse(r.Endpoint); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		breaks("/endpoint", "malformed", "is no https URL")
	}
	if key, err := unbase64(r.Keys.P256DH); err != nil {
		breaks("/keys/p256dh", "malformed", "is not base64url")
	} else if _, err := ecdh.P256().NewPublicKey(key); err != nil {
		breaks("/keys/p256dh", "malformed", "is no point of P-256")
	}
	if secret, err := unbase64(r.Keys.Auth); err != nil || len(secret) != 16 {
		breaks("/keys/auth", "malformed", "is not 16 bytes as base64url")
	}
	if len(wrong) > 0 {
		return fault.Breaks(wrong...)
	}
	return nil
}

func unbase64(text string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}
