//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// request is one that all proxies get.
type request struct{ path, token string }

func (q request) text(host string) []byte {
	text := "GET " + q.path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: bench\r\nAccept: application/json\r\n"
	if q.token != "" {
		text += "Authorization: Bearer " + q.token + "\r\n"
	}
	return []byte(text + "\r\n")
}

// client keeps connections to one proxy. It does little more than write and
// read: what it takes of the processors, the proxy cannot have. net/http's
// takes as much as the proxies do.
type client struct {
	host  string
	conns []net.Conn
}

func dial(ctx context.Context, rawURL string, conns int) (*client, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	dialer := interface {
		DialContext(context.Context, string, string) (net.Conn, error)
	}(new(net.Dialer))
	if u.Scheme == "https" {
		dialer = &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	}
	c := &client{host: u.Host}
	for range conns {
		conn, err := dialer.DialContext(ctx, "tcp", u.Host)
		if err != nil {
			c.close()
			return nil, err
		}
		c.conns = append(c.conns, conn)
	}
	return c, nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

// send sends a request n times in all, on each connection the next one when
// the one before is answered, and returns how long each took. Any answer but
// 200 is an error.
func (c *client) send(ctx context.Context, q request, n int) ([]time.Duration, error) {
	text := q.text(c.host)
	var sent atomic.Int64
	var wait sync.WaitGroup
	took, errs := make([][]time.Duration, len(c.conns)), make([]error, len(c.conns))
	for i, conn := range c.conns {
		wait.Go(func() {
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			answers := bufio.NewReader(conn)
			for sent.Add(1) <= int64(n) && ctx.Err() == nil {
				begin := time.Now()
				if _, errs[i] = conn.Write(text); errs[i] != nil {
					return
				}
				if errs[i] = readAnswer(answers); errs[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(begin))
			}
		})
	}
	wait.Wait()
	var all []time.Duration
	for _, t := range took {
		all = append(all, t...)
	}
	return all, errors.Join(append(errs, ctx.Err())...)
}

// readAnswer reads one answer that says how long it is.
func readAnswer(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	ok := bytes.HasPrefix(status, []byte("HTTP/1.1 200"))
	said, length := string(status[:min(len(status), 40)]), -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			break
		}
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("answer of unknown length: %s", said)
	}
	if !ok {
		body, err := io.ReadAll(io.LimitReader(r, int64(length)))
		return errors.Join(fmt.Errorf("%s: %s", strings.TrimSpace(said), body), err)
	}
	_, err = r.Discard(length)
	return err
}
