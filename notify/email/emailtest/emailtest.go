// Package emailtest is a mail server for tests, which answers as it is told.
package emailtest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// Server is a mail server on a loopback address.
type Server struct {
	Addr string
	TLS  *tls.Config // for STARTTLS; nil for none
	User string      // whose password is "secret"; "" takes mail from anybody

	mu      sync.Mutex
	replies map[string][]string
	mails   []Mail
	said    []string
}

// Mail is what the server took.
type Mail struct {
	From, To string
	Data     string
	Secure   bool
}

// Start starts a server that takes everything until the test ends.
func Start(t testing.TB, change func(*Server)) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), replies: map[string][]string{}}
	if change != nil {
		change(s)
	}
	var sessions sync.WaitGroup
	t.Cleanup(func() { l.Close(); sessions.Wait() })
	sessions.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() { defer conn.Close(); s.session(conn) })
		}
	})
	return s
}

// Reply makes the server answer the next commands of a name ("RCPT", or "." for
// the end of a mail) with these. "hang up" is what it says.
func (s *Server) Reply(command string, replies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[command] = append(s.replies[command], replies...)
}

// Mails are those that the server took.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Said are the commands that it was given.
func (s *Server) Said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.said...)
}

func (s *Server) reply(command, usual string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if list := s.replies[command]; len(list) > 0 {
		s.replies[command] = list[1:]
		return list[0]
	}
	return usual
}

func (s *Server) session(conn net.Conn) {
	var mail Mail
	text := textproto.NewConn(conn)
	in := s.User == ""
	answer := func(command, usual string) bool {
		r := s.reply(command, usual)
		return r != "hang up" && text.PrintfLine("%s", r) == nil
	}
	if !answer("connect", "220 test ready") {
		return
	}
	for {
		line, err := text.ReadLine()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.said = append(s.said, line)
		s.mu.Unlock()
		command, arg, _ := strings.Cut(line, " ")
		ok := true
		switch command = strings.ToUpper(command); command {
		case "EHLO":
			list := []string{"test", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8"}
			if s.TLS != nil && !mail.Secure {
				list = append(list, "STARTTLS")
			}
			if s.User != "" {
				list = append(list, "AUTH PLAIN LOGIN")
			}
			ok = answer(command, "250-"+strings.Join(list[:len(list)-1], "\r\n250-")+"\r\n250 "+list[len(list)-1])
		case "STARTTLS":
			if ok = answer(command, "220 go on"); ok {
				secure := tls.Server(conn, s.TLS)
				text, mail.Secure = textproto.NewConn(secure), true
			}
		case "AUTH":
			given, _ := base64.StdEncoding.DecodeString(arg[strings.LastIndexByte(arg, ' ')+1:])
			if in = string(given) == "\x00"+s.User+"\x00secret"; in {
				ok = answer(command, "235 2.7.0 welcome")
			} else {
				ok = answer(command, "535 5.7.8 no")
			}
		case "MAIL":
			mail.From = address(arg)
			if in {
				ok = answer(command, "250 2.1.0 ok")
			} else {
				ok = answer(command, "530 5.7.0 who are you")
			}
		case "RCPT":
			mail.To = address(arg)
			ok = answer(command, "250 2.1.5 ok")
		case "DATA":
			r := s.reply(command, "354 go on")
			if ok = text.PrintfLine("%s", r) == nil; ok && strings.HasPrefix(r, "354") {
				ok = s.data(text, mail, answer)
			}
		case "QUIT":
			answer(command, "221 2.0.0 bye")
			return
		default:
			ok = answer(command, "250 2.0.0 ok")
		}
		if !ok {
			return
		}
	}
}

func (s *Server) data(text *textproto.Conn, mail Mail, answer func(string, string) bool) bool {
	body, err := text.ReadDotBytes()
	if err != nil {
		return false
	}
	mail.Data = string(body)
	r := s.reply(".", "250 2.0.0 taken")
	if strings.HasPrefix(r, "250") || r == "hang up" {
		s.mu.Lock()
		s.mails = append(s.mails, mail)
		s.mu.Unlock()
	}
	return r != "hang up" && text.PrintfLine("%s", r) == nil
}

// address is what a command has between angle brackets.
func address(arg string) string {
	_, rest, _ := strings.Cut(arg, "<")
	a, _, _ := strings.Cut(rest, ">")
	return a
}

// Header returns a header of a mail as it was sent, unfolded.
func (m Mail) Header(name string) string {
	h, err := textproto.NewReader(bufio.NewReader(strings.NewReader(m.Data + "\r\n\r\n"))).ReadMIMEHeader()
	if err != nil {
		return fmt.Sprint(err)
	}
	return h.Get(name)
}
