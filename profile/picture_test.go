package profile_test

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/profile"
	"github.com/trellis-go/trellis/profile/avatar"
)

func pictures(t *testing.T) (asPNG, asJPEG, asGIF []byte) {
	t.Helper()
	p := image.NewNRGBA(image.Rect(0, 0, 30, 20))
	for i := range p.Pix {
		p.Pix[i] = 200
	}
	opaque := image.NewGray(image.Rect(0, 0, 9, 9))
	opaque.SetGray(3, 3, color.Gray{200})
	var a, b, c bytes.Buffer
	must(t, png.Encode(&a, p))
	must(t, jpeg.Encode(&b, opaque, nil))
	must(t, gif.Encode(&c, opaque, nil))
	return a.Bytes(), b.Bytes(), c.Bytes()
}

func TestAvatar(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store), uuid.New()
		s.run(t)
		ann := s.As(t, user)
		asPNG, asJPEG, asGIF := pictures(t)
		const path = "/v1/profile/avatar"
		for what, status := range map[string]int{uuid.NewString(): 404, "x": 404, user.String(): 404} {
			if res, _ := s.send(t, uuid.Nil, "GET", "/v1/profiles/"+what+"/avatar", nil); res.StatusCode != status || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %s %v", what, res.Status, res.Header)
			}
		}
		p, err := s.ReadProfile(ann)
		must(t, err)
		see := func(url string) (kind, body string) {
			t.Helper()
			res, body := s.send(t, uuid.Nil, "GET", url, nil)
			h := res.Header
			if res.StatusCode != 200 || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") ||
				strings.Contains(h.Get("Cache-Control"), "immutable") != strings.Contains(url, "?v=") || int64(len(body)) != res.ContentLength {
				t.Errorf("%s: %s %v", url, res.Status, h)
			}
			if again, body := s.send(t, uuid.Nil, "GET", url, nil, "If-None-Match: "+h.Get("ETag")); again.StatusCode != 304 || body != "" {
				t.Errorf("%s again: %s", url, again.Status)
			}
			if head, body := s.send(t, uuid.Nil, "HEAD", url, nil); head.StatusCode != 200 || body != "" || head.Header.Get("ETag") != h.Get("ETag") {
				t.Errorf("HEAD %s: %s", url, head.Status)
			}
			return h.Get("Content-Type"), body
		}
		if kind, body := see(p.AvatarURL); kind != "image/svg+xml" || !strings.Contains(body, ">U") {
			t.Errorf("initials: %s %s", kind, body)
		}
		res, body := s.send(t, user, "PUT", path, asPNG, "Content-Type: image/png")
		if res.StatusCode != 200 || res.Header.Get("ETag") != `"2"` || !strings.Contains(body, `"has_avatar":true`) {
			t.Fatalf("%s %v %s", res.Status, res.Header, body)
		}
		before := p
		p, err = s.ReadProfile(ann)
		must(t, err)
		if p.AvatarURL == before.AvatarURL || !strings.Contains(body, p.AvatarURL) {
			t.Errorf("the picture is still at %s; told %s", p.AvatarURL, body)
		}
		kind, shown := see(p.AvatarURL)
		if _, err := png.DecodeConfig(strings.NewReader(shown)); kind != "image/png" || err != nil {
			t.Errorf("%s, %v", kind, err)
		}
		see("/v1/profiles/" + user.String() + "/avatar")
		if res, _ := s.send(t, uuid.Nil, "GET", before.AvatarURL, nil); strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Error("another picture is said to be there for ever")
		}
		first, err := store.Get(t.Context(), user)
		must(t, err)
		for _, tt := range []struct {
			body   []byte
			kind   string
			more   string
			status int
			code   string
		}{
			{asGIF, "image/gif", "", 415, "unsupported_image"},
			{asPNG, "image/jpeg", "", 415, "unsupported_image"},
			{asPNG, "", "", 415, "unsupported_image"},
			{[]byte("<svg/>"), "image/svg+xml", "", 415, "unsupported_image"},
			{nil, "image/png", "", 415, "unsupported_image"},
			{asPNG[:30], "image/png", "", 422, "image_unreadable"},
			{make([]byte, avatar.MaxBytes+1), "image/png", "", 413, "body_too_large"},
			{asJPEG, "image/jpeg", `If-Match: "1"`, 412, "stale"},
			{asJPEG, "image/jpeg", `If-Match: 1`, 400, "if_match_malformed"},
		} {
			if res, body := s.send(t, user, "PUT", path, tt.body, "Content-Type: "+tt.kind, tt.more); res.StatusCode != tt.status || !strings.Contains(body, tt.code) {
				t.Errorf("%d bytes of %s %s: %s %s", len(tt.body), tt.kind, tt.more, res.Status, body)
			}
		}
		if res, _ := s.send(t, uuid.Nil, "PUT", path, asPNG, "Content-Type: image/png"); res.StatusCode != 401 {
			t.Errorf("nobody's: %s", res.Status)
		}
		if res, body := s.send(t, user, "PUT", path, asJPEG, "Content-Type: image/jpeg", `If-Match: "2"`); res.StatusCode != 200 {
			t.Errorf("%s %s", res.Status, body)
		}
		testenv.Eventually(t, "the first picture is gone", func() bool {
			_, _, err := store.OpenBlob(t.Context(), first.Avatar.Blob)
			return err != nil
		})
		must(t, s.DeleteAvatar(ann, profile.DeleteAvatarRequest{}))
		if now, err := s.ReadProfile(ann); err != nil || now.AvatarURL != before.AvatarURL || now.HasAvatar || now.Version != 4 {
			t.Errorf("%+v, %v", now, err)
		}
		err = s.DeleteAvatar(ann, profile.DeleteAvatarRequest{IfMatch: &transport.IfMatch{Version: 3}})
		wantCode(t, "a stale removal", err, 412, "stale")
		// What was refused as stale was kept before, and goes when its time comes.
		r, err := store.Get(t.Context(), user)
		must(t, err)
		if len(r.Waste) != 1 {
			testenv.Eventually(t, "waste is removed", func() bool { r, err := store.Get(t.Context(), user); return err == nil && len(r.Waste) == 1 })
		}
	})
}
