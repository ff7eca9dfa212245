// Command reverseproxy is what one would write around httputil.ReverseProxy in
// an afternoon, tuned: the peer of the gateway that is closest to it.
package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/time/rate"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8011", "where to listen")
	to := flag.String("to", "", "URL of the service behind")
	limit := flag.Bool("limit", false, "limit each client, by its address, and log a line of JSON a request on standard error")
	keys := flag.String("keys", "", "URL of a JWKS; each request's token is verified with it, anew each time")
	flag.Parse()
	handler, err := assemble(*to, *limit, *keys)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*addr, handler))
}

func assemble(to string, limit bool, keys string) (http.Handler, error) {
	target, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	h := http.Handler(&httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport:  &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		BufferPool: &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}},
	})
	if keys != "" {
		set, err := fetch(keys)
		if err != nil {
			return nil, err
		}
		h = authenticated(set, h)
	}
	if limit {
		h = logged(slog.New(slog.NewJSONHandler(os.Stderr, nil)), limited(h))
	}
	return h, nil
}

type buffers struct{ sync.Pool }

func (b *buffers) Get() []byte  { return b.Pool.Get().(*[32 << 10]byte)[:] }
func (b *buffers) Put(p []byte) { b.Pool.Put((*[32 << 10]byte)(p)) }

// limited has a token bucket for each client, so large that it refuses nobody.
func limited(next http.Handler) http.Handler {
	var buckets sync.Map
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		bucket, ok := buckets.Load(host)
		if !ok {
			bucket, _ = buckets.LoadOrStore(host, rate.NewLimiter(1e9, 1e9))
		}
		if !bucket.(*rate.Limiter).Allow() {
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func logged(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin, seen := time.Now(), &recorder{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
			slog.String("client", r.RemoteAddr), slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", seen.status), slog.Int("bytes", seen.bytes), slog.Duration("took", time.Since(begin)))
	})
}

type recorder struct {
	http.ResponseWriter
	status, bytes int
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.bytes += n
	return n, err
}

func authenticated(keys jose.JSONWebKeySet, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := verify(keys, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		r.Header.Set("X-User-Id", user)
		next.ServeHTTP(w, r)
	})
}

func verify(keys jose.JSONWebKeySet, text string) (user string, err error) {
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		return "", err
	}
	found := keys.Key(token.Headers[0].KeyID)
	if len(found) == 0 {
		return "", errors.New("no such key")
	}
	public, ok := found[0].Key.(ed25519.PublicKey)
	if !ok {
		return "", errors.New("no Ed25519 key")
	}
	var claims jwt.Claims
	if err := token.Claims(public, &claims); err != nil {
		return "", err
	}
	return claims.Subject, claims.Validate(jwt.Expected{Time: time.Now()})
}

func fetch(from string) (keys jose.JSONWebKeySet, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return keys, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return keys, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return keys, fmt.Errorf("%s: %s", from, res.Status)
	}
	return keys, json.NewDecoder(res.Body).Decode(&keys)
}
