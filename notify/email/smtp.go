package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/trellis-go/trellis/notify"
	"github.com/wneessen/go-mail"
)

// SMTP sends mails over a mail server, one connection each.
type SMTP struct {
	writer  Writer
	host    string
	options []mail.Option
	dial    func(context.Context) (net.Conn, error)
}

var _ notify.Mailer = (*SMTP)(nil)

const (
	stepTime = 20 * time.Second // for one answer of the server
	sendTime = time.Minute      // for all of it
)

// Open returns a mailer over the server that a URL names:
// smtp://USER:PASSWORD@HOST:587, with STARTTLS unless the host is this
// machine, or smtps://…:465, with TLS from the first byte.
func Open(server string, w Writer) (*SMTP, error) { return open(server, w, &tls.Config{}) }

func open(server string, w Writer, trust *tls.Config) (*SMTP, error) {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("takes smtp://USER:PASSWORD@HOST:PORT or smtps://…") // not err, which quotes the password
	}
	s := &SMTP{writer: w, host: u.Hostname()}
	trust = trust.Clone()
	trust.ServerName, trust.MinVersion = s.host, tls.VersionTLS12
	port, secure := 587, u.Scheme == "smtps"
	if secure {
		port = 465
	}
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, errors.New("the port is no number")
		}
	}
	addr := net.JoinHostPort(s.host, strconv.Itoa(port))
	s.dial = func(ctx context.Context) (net.Conn, error) {
		if secure {
			return (&tls.Dialer{Config: trust}).DialContext(ctx, "tcp", addr)
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	policy := mail.TLSMandatory
	if secure || loopback(s.host) {
		policy = mail.NoTLS
	}
	s.options = []mail.Option{
		mail.WithPort(port), mail.WithTimeout(stepTime), mail.WithTLSPolicy(policy), mail.WithTLSConfig(trust),
		mail.WithoutNoop(), mail.WithoutRset(), // a failed RSET after the mail was taken is no failure
	}
	if u.User != nil {
		password, _ := u.User.Password()
		s.options = append(s.options, mail.WithUsername(u.User.Username()), mail.WithPassword(password),
			mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin)) // the last two refuse to go in the clear
	}
	_, err = mail.NewClient(s.host, s.options...)
	return s, err
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Send sends a mail. It may be sent again under the same Message-ID when the
// server took it and could not say so.
func (s *SMTP) Send(ctx context.Context, m notify.Mail) error {
	msg, err := s.writer.Message(m)
	if err != nil {
		return err
	}
	if err := s.send(ctx, msg); err != nil {
		return trouble(err)
	}
	return nil
}

func (s *SMTP) send(ctx context.Context, msg *mail.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // the library leaves it open on some errors
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	handed := mail.WithDialContextFunc(func(context.Context, string, string) (net.Conn, error) { return conn, nil })
	client, err := mail.NewClient(s.host, append(s.options[:len(s.options):len(s.options)], handed)...)
	if err != nil {
		return err
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return err
	}
	err = client.SendWithSMTPClient(session, msg)
	_ = session.Quit() // the mail is sent, or is not
	return err
}

// trouble tells a user why a mail was not sent, without the server's words: in
// them may be addresses.
func trouble(err error) *notify.Trouble {
	refused, ok := errors.AsType[*mail.SendError](err)
	if !ok || refused.ErrorCode() == 0 {
		return &notify.Trouble{Reason: "The mail server cannot be reached.", Cause: err}
	}
	code := strconv.Itoa(refused.ErrorCode())
	if more := refused.EnhancedStatusCode(); more != "" {
		code += " " + more
	}
	t := &notify.Trouble{Reason: fmt.Sprintf("The mail server does not take it now (%s).", code), Cause: err}
	if refused.ErrorCode() >= 500 {
		t.Reason, t.Final = fmt.Sprintf("The mail server refused it (%s).", code), true
	}
	return t
}
