// Package turns lets the clients of a MongoDB server take turns: of all their
// messages the server has one at a time, until it has replied. So a change of a
// document is atomic even where the server, FerretDB, by itself lets two race.
//
// It is part of the program that testenv builds; see main.go.txt.
package turns

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	maxMessage      = 48_000_000  // bytes: MongoDB's own bound
	exchangeTimeout = time.Minute // for the server to take a message and reply
	writeTimeout    = time.Minute // for a client to take a reply
)

// Serve takes clients from l until ctx is done, and for each dials the server.
// It returns when all connections are closed, and l too.
func Serve(ctx context.Context, l net.Listener, dial func() (net.Conn, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	whose := make(turn, 1)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	context.AfterFunc(ctx, func() { l.Close() })
	for {
		client, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		clients.Go(func() {
			defer client.Close()
			server, err := dial()
			if err != nil {
				return
			}
			defer server.Close()
			defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
			_ = whose.serve(client, server)
		})
	}
}

// turn is full while the server is at work for one of the clients.
type turn chan struct{}

// serve passes messages until a connection fails. The client has its turn only
// while the server is at work, never while it sends and receives.
func (t turn) serve(client, server net.Conn) error {
	for {
		request, err := read(client)
		if err != nil {
			return err
		}
		quiet := wantOneReply(request)
		reply, err := t.exchange(server, request)
		if err != nil {
			return err
		}
		if quiet {
			continue
		}
		nameDuplicate(reply)
		if err := client.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		if _, err := client.Write(reply); err != nil {
			return err
		}
	}
}

func (t turn) exchange(server net.Conn, request []byte) (reply []byte, err error) {
	if !mayWait(request) {
		t <- struct{}{}
		defer func() { <-t }()
	}
	if err := server.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return nil, err
	}
	if _, err := server.Write(request); err != nil {
		return nil, err
	}
	return read(server)
}

// A message is a header of four numbers, the first of which is its length and
// the last says what follows. In an OP_MSG these are flags and then documents,
// of which the first, after a zero, is the command or what it came to.
const (
	header         = 16
	opMsg          = 2013
	moreToCome     = 1 << 1  // the client wants no reply
	exhaustAllowed = 1 << 16 // the client would take more than one
)

// read returns the next message.
func read(from io.Reader) ([]byte, error) {
	var start [header]byte
	if _, err := io.ReadFull(from, start[:]); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(start[:])
	if length < header || length > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	message := make([]byte, length)
	copy(message, start[:])
	_, err := io.ReadFull(from, message[header:])
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return message, err
}

// wantOneReply makes the request one that has one reply, and says whether the
// client wants none: FerretDB always replies.
func wantOneReply(request []byte) (quiet bool) {
	if !isOpMsg(request) {
		return false
	}
	flags := binary.LittleEndian.Uint32(request[header:])
	binary.LittleEndian.PutUint32(request[header:], flags&^exhaustAllowed)
	return flags&moreToCome != 0
}

// nameDuplicate gives MongoDB's code to the error that an update breaks a
// unique index: FerretDB, which does so for inserts, calls it an internal one.
func nameDuplicate(reply []byte) {
	const first = header + 4 + 1 + 4 // flags, zero, the document's length
	failed := []byte("\x01ok\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	if !isOpMsg(reply) || len(reply) < first || !bytes.HasPrefix(reply[first:], failed) ||
		!bytes.Contains(reply, []byte("UNIQUE constraint failed")) {
		return
	}
	code := []byte("\x10code\x00\x01\x00\x00\x00")
	if at := bytes.LastIndex(reply, code); at >= 0 {
		binary.LittleEndian.PutUint32(reply[at+len(code)-4:], 11000)
	}
}

// mayWait tells whether the request is a getMore. That may wait for what
// another client is about to write, and writes nothing, so it takes no turn.
func mayWait(request []byte) bool {
	const name = header + 4 + 1 + 4 + 1 // flags, zero, the document's length, the first field's type
	return isOpMsg(request) && len(request) > name && request[header+4] == 0 &&
		bytes.HasPrefix(request[name:], []byte("getMore\x00"))
}

func isOpMsg(m []byte) bool {
	return len(m) >= header+4 && binary.LittleEndian.Uint32(m[header-4:]) == opMsg
}
